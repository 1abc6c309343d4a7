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

/** Implements {@link RevocationStore#cached(RevocationStore, Duration)}. */
final class CachedRevocationStore implements RevocationStore {
    /** The maximum number of cached answers of each kind, evicted least recently used first. */
    static final int MAX_ANSWERS = 10_000;

    /** A revocation is final, and no mandate lives longer. */
    static final Duration KEEP_REVOKED = Duration.ofHours(1);

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
                () -> Supplied.ask(JwksMandateVerifier.STORE, () -> store.delegationEpoch(zoneId))
                        .singleOptional();
        return answer(epochs, zoneId, lookup, epoch -> keepNanos).flatMap(Mono::justOrEmpty);
    }

    /**
     * Concurrent callers share a lookup, which is cancelled with the last of them; errors are not cached. The lookup
     * has its own timeout, because a steady stream of callers would keep a hung one alive.
     */
    private <K, T> Mono<T> answer(
            Map<K, Mono<Signal<Answer<T>>>> answers, K key, Supplier<Mono<T>> lookup, Function<T, Long> lifetime) {
        return Mono.defer(() -> answers.computeIfAbsent(
                        key,
                        asked -> Supplied.ask(
                                        JwksMandateVerifier.STORE, lookup, JwksMandateVerifier.STORE_TIMEOUT, clock)
                                .map(value -> new Answer<>(value, now() + lifetime.apply(value)))
                                // An error after the last caller has left would be dropped.
                                .materialize()
                                // Shared, so it must not see one caller's Context.
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
