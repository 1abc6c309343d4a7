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
 * Stores revocations in the memory of this process: for a single instance, for tests, and as a local store that is fed
 * from elsewhere. Thread-safe and non-blocking; needs no close.
 */
public final class InMemoryRevocationStore implements RevocationStore {
    /** The maximum number of stored revocations. */
    public static final int MAX_REVOCATIONS = 100_000;

    /** The maximum number of zones with a stored epoch. */
    public static final int MAX_ZONES = 1000;

    /** The maximum time that a revocation is stored. */
    public static final Duration MAX_KEEP = Duration.ofDays(366);

    private final Scheduler clock;
    private final int capacity;
    private final Map<String, Long> endOfId = new ConcurrentHashMap<>();
    private final Map<String, Long> epochOfZone = new ConcurrentHashMap<>();

    InMemoryRevocationStore(Scheduler clock, int capacity) {
        this.clock = clock;
        this.capacity = capacity;
    }

    /** {@return an empty store} */
    public static InMemoryRevocationStore create() {
        return new InMemoryRevocationStore(ParallelTimer.INSTANCE, MAX_REVOCATIONS);
    }

    /**
     * Revokes an id. Revoking it again may extend the time, and never shortens it.
     *
     * @param id an authority record, an agent session or a delegation
     * @param keepFor how long to store it, up to {@link #MAX_KEEP}; mandates live an hour at most
     *     ({@link run.caracal.MandateOptions#MAX_TTL}), and the platform mints none for a revoked id
     * @throws IllegalArgumentException if the id is malformed, or the time is out of range
     * @throws IllegalStateException if {@value #MAX_REVOCATIONS} revocations are stored already; this one is then
     *     <em>not</em> in force
     */
    public void revoke(String id, Duration keepFor) {
        String revoked = Ids.require(id, "id");
        if (keepFor.isNegative() || keepFor.isZero() || keepFor.compareTo(MAX_KEEP) > 0) {
            throw new IllegalArgumentException("keepFor must be positive and at most " + MAX_KEEP + ", not " + keepFor);
        }
        long now = clock.now(TimeUnit.NANOSECONDS);
        // Writers are serialised because of the limit; readers do not wait for them.
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
     * Rejects the mandates of a zone that name an earlier epoch. An epoch never decreases.
     *
     * @param epoch not negative
     * @throws IllegalArgumentException if the zone or the epoch is malformed
     * @throws IllegalStateException if the epochs of {@value #MAX_ZONES} other zones are stored already
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

    /** Contains the number of ids, expired ones included, not the ids. */
    @Override
    public String toString() {
        return "InMemoryRevocationStore[ids=" + endOfId.size() + ", zones=" + epochOfZone.size() + "]";
    }
}
