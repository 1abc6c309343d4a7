package run.caracal.verify;

import java.time.Duration;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;
import java.util.function.Supplier;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Signal;
import reactor.core.scheduler.Scheduler;
import reactor.util.context.Context;
import run.caracal.internal.Supplied;

/** Remembers the answers of another store: see {@link RevocationStore#cached(RevocationStore, Duration)}. */
final class CachedRevocationStore implements RevocationStore {
    /** How many answers of each kind are remembered; the one that was not used for longest makes room. */
    static final int MAX_ANSWERS = 10_000;

    /** A revocation is final, and no mandate lives longer. */
    static final Duration KEEP_REVOKED = Duration.ofHours(1); // no mandate lives longer

    private static final String STORE = "The revocation store";

    private final RevocationStore store;
    private final long keepNanos;
    private final Scheduler clock;
    private final Map<Set<String>, Mono<Signal<Answer<Boolean>>>> revoked = bounded();
    private final Map<String, Mono<Signal<Answer<Optional<Long>>>>> epochs = bounded();

    private record Answer<T>(T value, long end) {}

    CachedRevocationStore(RevocationStore store, Duration keepFor, Scheduler clock) {
        this.store = store;
        this.keepNanos = keepFor.toNanos();
        this.clock = clock;
    }

    private static <K, V> Map<K, V> bounded() {
        return Collections.synchronizedMap(new LinkedHashMap<>(16, 0.75f, true) {
            private static final long serialVersionUID = 1L;

            @Override
            protected boolean removeEldestEntry(Map.Entry<K, V> eldest) {
                return size() > MAX_ANSWERS;
            }
        });
    }

    @Override
    public Mono<Boolean> isRevoked(Set<String> anchors) {
        Set<String> asked = Set.copyOf(anchors);
        return answer(
                revoked, asked, () -> store.isRevoked(asked), found -> found ? KEEP_REVOKED.toNanos() : keepNanos);
    }

    @Override
    public Mono<Long> delegationEpoch(String zoneId) {
        Supplier<Mono<Optional<Long>>> lookup =
                () -> Supplied.ask(STORE, () -> store.delegationEpoch(zoneId)).singleOptional();
        return answer(epochs, zoneId, lookup, epoch -> keepNanos).flatMap(Mono::justOrEmpty);
    }

    /**
     * One lookup for all who wait, which ends with the last of them; what fails is not remembered. It has a limit of its own:
     * while callers come and go, one that hangs would always have somebody who waits.
     */
    private <K, T> Mono<T> answer(
            Map<K, Mono<Signal<Answer<T>>>> answers, K key, Supplier<Mono<T>> lookup, Function<T, Long> lifetime) {
        return Mono.defer(() -> answers.computeIfAbsent(
                        key,
                        asked -> Supplied.ask(STORE, lookup, JwksMandateVerifier.STORE_TIMEOUT, clock)
                                .map(value -> new Answer<>(value, now() + lifetime.apply(value)))
                                // Behind the last caller an error would be dropped.
                                .materialize()
                                // Shared, so no caller's.
                                .contextWrite(anyCaller -> Context.empty())
                                .cacheInvalidateIf(signal -> {
                                    Answer<T> answer = signal.get();
                                    return answer == null || now() - answer.end() >= 0;
                                })))
                .<Answer<T>>dematerialize()
                .map(Answer::value);
    }

    private long now() {
        return clock.now(TimeUnit.NANOSECONDS);
    }

    @Override
    public String toString() {
        return "CachedRevocationStore[" + store + "]";
    }
}
