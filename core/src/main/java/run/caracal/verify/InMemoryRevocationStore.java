package run.caracal.verify;

import java.time.Duration;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.internal.Ids;
import run.caracal.internal.ParallelTimer;

/**
 * Remembers what is revoked in the memory of this process: for a single instance, for tests, and as the nearer half of a
 * store that is fed from elsewhere. Safe for use by many threads; nothing in it waits, and it needs no end.
 */
public final class InMemoryRevocationStore implements RevocationStore {
    /** How many revocations are remembered at a time. */
    public static final int MAX_REVOCATIONS = 100_000;

    /** Of how many zones the epoch is remembered. */
    public static final int MAX_ZONES = 1000;

    /** How long a revocation is remembered at most. */
    public static final Duration MAX_KEEP = Duration.ofDays(366);

    private final Scheduler clock;
    private final int capacity;
    private final Map<String, Long> endOfId = new ConcurrentHashMap<>();
    private final Map<String, Long> epochOfZone = new ConcurrentHashMap<>();

    InMemoryRevocationStore(Scheduler clock, int capacity) {
        this.clock = clock;
        this.capacity = capacity;
    }

    /** Creates an empty store. */
    public static InMemoryRevocationStore create() {
        return new InMemoryRevocationStore(ParallelTimer.INSTANCE, MAX_REVOCATIONS);
    }

    /**
     * Revokes an id from now on. Revoking it again may prolong the time, and never shortens it.
     *
     * @param id an authority record, an agent session or a delegation
     * @param keepFor how long to remember it, up to {@link #MAX_KEEP}; mandates live an hour at most ({@link
     *     run.caracal.MandateOptions#MAX_TTL}), and the platform mints none for what is revoked
     * @throws IllegalArgumentException if it is no id, or the time is not positive or too long
     * @throws IllegalStateException if {@value #MAX_REVOCATIONS} revocations are remembered already; then this one is
     *     <em>not</em> in force
     */
    public void revoke(String id, Duration keepFor) {
        String revoked = Ids.require(id, "id");
        if (keepFor.isNegative() || keepFor.isZero() || keepFor.compareTo(MAX_KEEP) > 0) {
            throw new IllegalArgumentException("keepFor must be positive and at most " + MAX_KEEP + ", not " + keepFor);
        }
        long now = clock.now(TimeUnit.NANOSECONDS);
        // Writers go one at a time, for the limit; readers do not wait for them.
        synchronized (this) {
            if (endOfId.size() >= capacity && !endOfId.containsKey(revoked)) {
                endOfId.values().removeIf(end -> end - now <= 0);
                if (endOfId.size() >= capacity) {
                    throw new IllegalStateException("The store remembers " + capacity
                            + " revocations already, and this one is not in force: keep them for a shorter time, or use "
                            + "a RevocationStore on a database");
                }
            }
            endOfId.merge(revoked, now + keepFor.toNanos(), (a, b) -> a - b > 0 ? a : b);
        }
    }

    /**
     * Refuses the mandates of a zone that name an earlier epoch. An epoch never falls.
     *
     * @param epoch the epoch of its delegations, not negative
     * @throws IllegalArgumentException if one is not what it should be
     * @throws IllegalStateException if the epochs of {@value #MAX_ZONES} other zones are remembered already
     */
    public void setDelegationEpoch(String zoneId, long epoch) {
        String zone = Ids.require(zoneId, "zoneId");
        if (epoch < 0) {
            throw new IllegalArgumentException("epoch must not be negative, but is " + epoch);
        }
        synchronized (this) {
            if (epochOfZone.size() >= MAX_ZONES && !epochOfZone.containsKey(zone)) {
                throw new IllegalStateException("The store remembers the epochs of " + MAX_ZONES
                        + " zones already: use a store for each of them");
            }
            epochOfZone.merge(zone, epoch, Math::max);
        }
    }

    @Override
    public Mono<Boolean> isRevoked(Set<String> anchors) {
        return Mono.fromSupplier(() -> {
            long now = clock.now(TimeUnit.NANOSECONDS);
            return anchors.stream().map(endOfId::get).anyMatch(end -> end != null && end - now > 0);
        });
    }

    @Override
    public Mono<Long> delegationEpoch(String zoneId) {
        return Mono.fromSupplier(() -> epochOfZone.get(zoneId));
    }

    /** Names how many ids there are, the ended ones included; not which. */
    @Override
    public String toString() {
        return "InMemoryRevocationStore[ids=" + endOfId.size() + ", zones=" + epochOfZone.size() + "]";
    }
}
