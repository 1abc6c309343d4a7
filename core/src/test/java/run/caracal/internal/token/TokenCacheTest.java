package run.caracal.internal.token;

import static org.assertj.core.api.Assertions.assertThat;

import java.lang.ref.WeakReference;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.publisher.TestPublisher;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.internal.token.TokenCache.Exchanged;
import run.caracal.test.Hygiene;
import run.caracal.test.MovableTime;

class TokenCacheTest {
    private static final Duration LIMIT = Duration.ofSeconds(10);

    private final VirtualTimeScheduler time = VirtualTimeScheduler.create();
    private final MovableTime clocks = new MovableTime(time);
    private final AtomicInteger exchanges = new AtomicInteger();
    private final Queue<Boolean> early = new ConcurrentLinkedQueue<>();
    private final AtomicInteger hits = new AtomicInteger();
    private final Queue<Throwable> failedRefreshes = new ConcurrentLinkedQueue<>();

    private TokenCache cache(Supplier<Mono<Exchanged>> exchange) {
        return new TokenCache(
                new TokenCache.Source() {
                    @Override
                    public Mono<Exchanged> exchange(boolean whileServing) {
                        early.add(whileServing);
                        return Mono.defer(() -> {
                            exchanges.incrementAndGet();
                            return exchange.get();
                        });
                    }

                    @Override
                    public void served() {
                        hits.incrementAndGet();
                    }

                    @Override
                    public void refreshFailed(Throwable error) {
                        failedRefreshes.add(error);
                    }
                },
                clocks,
                Schedulers::immediate);
    }

    private TokenCache numbered(Duration lifetime) {
        return cache(() -> Mono.just(new Exchanged("t" + exchanges.get(), lifetime, null)));
    }

    private static String value(TokenCache cache) {
        return token(cache).value();
    }

    private static AccessToken token(TokenCache cache) {
        return Objects.requireNonNull(cache.get().block(LIMIT));
    }

    private static WeakReference<Object> askedWithASecret(TokenCache cache) {
        Object secret = new Object();
        StepVerifier.create(cache.get().contextWrite(c -> c.put("secret", secret)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        return new WeakReference<>(secret);
    }

    @Nested
    class Keeping {
        @Test
        void servesFromMemoryUntilTheRefreshIsDue() {
            TokenCache cache = numbered(Duration.ofSeconds(900));
            assertThat(value(cache)).isEqualTo("t1");
            time.advanceTimeBy(Duration.ofSeconds(839));
            assertThat(value(cache)).isEqualTo("t1");
            assertThat(exchanges).hasValue(1);
            time.advanceTimeBy(Duration.ofSeconds(1));
            assertThat(value(cache))
                    .as("the old one is served while the new one is fetched")
                    .isEqualTo("t1");
            assertThat(exchanges).hasValue(2);
            assertThat(value(cache)).isEqualTo("t2");
        }

        /** The time ahead is never longer than half of the lifetime. */
        @ParameterizedTest
        @ValueSource(ints = {1, 30, 119, 300, 3600})
        void shortLivedTokensAreKeptForHalfTheirLife(int seconds) {
            TokenCache cache = numbered(Duration.ofSeconds(seconds));
            long ahead = Math.min(60_000, seconds * 500L);
            assertThat(value(cache)).isEqualTo("t1");
            time.advanceTimeBy(Duration.ofMillis(seconds * 1000L - ahead - 1));
            assertThat(value(cache)).isEqualTo("t1");
            assertThat(exchanges).hasValue(1);
        }

        @Test
        void aTokenOfUnknownLifeIsUsedOnce() {
            TokenCache cache = numbered(Duration.ZERO);
            assertThat(value(cache)).isEqualTo("t1");
            assertThat(value(cache)).isEqualTo("t2");
        }

        @Test
        void aFailedExchangeIsNotKept() {
            TokenCache cache = cache(() -> exchanges.get() == 1
                    ? Mono.error(new IllegalStateException("500"))
                    : Mono.just(new Exchanged("t", Duration.ofSeconds(10), null)));
            StepVerifier.create(cache.get()).expectErrorMessage("500").verify(LIMIT);
            assertThat(value(cache)).isEqualTo("t");
        }

        @Test
        void onlyTheRefusedTokenIsDropped() {
            TokenCache cache = numbered(Duration.ofSeconds(900));
            AccessToken old = token(cache);
            cache.reject(old);
            assertThat(value(cache)).isEqualTo("t2");
            cache.reject(old);
            assertThat(value(cache))
                    .as("a late 401 for the old token leaves the new one")
                    .isEqualTo("t2");
        }

        @Test
        void tellsWhatItServedFromMemoryAndWhenAnExchangeIsEarly() {
            TokenCache cache = numbered(Duration.ofSeconds(300));
            assertThat(value(cache)).isEqualTo("t1");
            assertThat(hits).as("fetched, not served from memory").hasValue(0);
            assertThat(value(cache)).isEqualTo("t1");
            assertThat(hits).hasValue(1);
            time.advanceTimeBy(Duration.ofSeconds(240));
            assertThat(value(cache)).isEqualTo("t1");
            assertThat(hits).hasValue(2);
            time.advanceTimeBy(Duration.ofSeconds(300));
            assertThat(value(cache)).isEqualTo("t3");
            assertThat(early).as("only the one behind a valid token").containsExactly(false, true, false);
            assertThat(hits).hasValue(2);
        }
    }

    @Nested
    class Sharing {
        @Test
        void concurrentSubscribersShareOneExchange() {
            for (int round = 0; round < 200; round++) {
                exchanges.set(0);
                TokenCache cache = cache(() -> Mono.just(new Exchanged("t", Duration.ofSeconds(900), null))
                        .delayElement(Duration.ofNanos(50_000), Schedulers.parallel()));
                StepVerifier.create(Flux.range(0, 1000)
                                .flatMap(i -> cache.get().subscribeOn(Schedulers.parallel()), 1000)
                                .map(AccessToken::value)
                                .distinct())
                        .expectNext("t")
                        .expectComplete()
                        .verify(LIMIT);
                assertThat(exchanges).as("round %d", round).hasValue(1);
            }
        }

        @Test
        void anExpiredTokenIsExchangedOnceForAll() {
            Sinks.One<Exchanged> slow = Sinks.one();
            TokenCache cache = cache(() -> exchanges.get() == 1
                    ? Mono.just(new Exchanged("old", Duration.ofSeconds(10), null))
                    : slow.asMono());
            assertThat(value(cache)).isEqualTo("old");
            time.advanceTimeBy(Duration.ofSeconds(10));
            List<String> seen = new ArrayList<>();
            Disposable all =
                    Flux.range(0, 100).flatMap(i -> cache.get(), 100).subscribe(token -> seen.add(token.value()));
            slow.tryEmitValue(new Exchanged("new", Duration.ofSeconds(10), null))
                    .orThrow();
            assertThat(seen).hasSize(100).containsOnly("new");
            assertThat(exchanges).hasValue(2);
            assertThat(all.isDisposed()).isTrue();
        }

        /** The cached token holds no reference to the Context of the last caller. */
        @Test
        void noCallersContextIsKept() {
            TokenCache cache = cache(() -> Mono.just(new Exchanged("t", Duration.ofSeconds(10), null)));
            WeakReference<Object> secret = askedWithASecret(cache);
            for (int i = 0; i < 50 && secret.get() != null; i++) {
                System.gc();
            }
            assertThat(secret.get()).isNull();
            assertThat(value(cache)).isEqualTo("t");
        }

        /** The result is shared, so nothing of the first caller may reach the exchange. */
        @Test
        void noCallersContextReachesTheExchange() {
            TokenCache cache = cache(() -> Mono.deferContextual(view ->
                    Mono.just(new Exchanged(view.isEmpty() ? "clean" : "tainted", Duration.ofSeconds(10), null))));
            StepVerifier.create(
                            cache.get().contextWrite(c -> c.put("user", "u0")).map(AccessToken::value))
                    .expectNext("clean")
                    .expectComplete()
                    .verify(LIMIT);
        }

        /** A waiter that gets the token finds it in the cache. */
        @Test
        void theTokenIsKeptBeforeTheWaitersHearOfIt() {
            for (int i = 0; i < 10_000; i++) {
                TokenCache cache = numbered(Duration.ofSeconds(900));
                StepVerifier.create(cache.get().map(token -> token == cache.peek()))
                        .expectNext(true)
                        .expectComplete()
                        .verify(LIMIT);
            }
        }
    }

    @Nested
    class Leaving {
        /** A waiter that cancels, the first included, neither cancels nor stalls the others. */
        @Test
        void aWaiterThatLeavesHarmsNobody() {
            Sinks.One<Exchanged> slow = Sinks.one();
            AtomicInteger cancelled = new AtomicInteger();
            TokenCache cache = cache(() -> slow.asMono().doOnCancel(cancelled::incrementAndGet));
            List<String> seen = new ArrayList<>();
            Disposable first = cache.get().subscribe(t -> seen.add("first"));
            Disposable second = cache.get().subscribe(t -> seen.add("second"));
            first.dispose();
            assertThat(cancelled).hasValue(0);
            slow.tryEmitValue(new Exchanged("t", Duration.ofSeconds(10), null)).orThrow();
            assertThat(seen).containsExactly("second");
            assertThat(second.isDisposed()).isTrue();
        }

        @Test
        void theCacheIsUsableAfterAllHaveLeft() {
            Sinks.One<Exchanged> never = Sinks.one();
            TokenCache cache = cache(() -> exchanges.get() == 1
                    ? never.asMono()
                    : Mono.just(new Exchanged("t", Duration.ofSeconds(10), null)));
            Disposable only = cache.get().subscribe();
            only.dispose();
            assertThat(value(cache)).isEqualTo("t");
        }

        /** An error in flight when the last waiter cancels has no subscriber left, and is not reported as dropped. */
        @Test
        void anErrorAfterTheLastHasLeftIsNotDropped() {
            TestPublisher<Exchanged> late =
                    TestPublisher.createNoncompliant(TestPublisher.Violation.DEFER_CANCELLATION);
            TokenCache cache = cache(late::mono);
            Disposable only = cache.get().subscribe();
            only.dispose();
            late.error(new IllegalStateException("500"));
            assertThat(Hygiene.takeDroppedErrors()).isEmpty();
        }
    }

    @Nested
    class Refreshing {
        @Test
        void aFailedEarlyRefreshKeepsTheValidTokenAndBacksOff() {
            TokenCache cache = cache(() -> exchanges.get() == 1
                    ? Mono.just(new Exchanged("t", Duration.ofSeconds(300), null))
                    : Mono.error(new IllegalStateException("down")));
            assertThat(value(cache)).isEqualTo("t");
            time.advanceTimeBy(Duration.ofSeconds(240));
            for (int i = 0; i < 100; i++) {
                assertThat(value(cache)).isEqualTo("t");
            }
            assertThat(exchanges).as("one try, then a pause").hasValue(2);
            assertThat(failedRefreshes).hasSize(1);
            time.advanceTimeBy(Duration.ofSeconds(30));
            assertThat(value(cache)).isEqualTo("t");
            assertThat(exchanges).hasValue(3);
            time.advanceTimeBy(Duration.ofSeconds(30));
            StepVerifier.create(cache.get()).expectErrorMessage("down").verify(LIMIT);
        }

        @Test
        void disposeStopsAnEarlyRefresh() {
            AtomicInteger cancelled = new AtomicInteger();
            TokenCache cache = cache(() -> exchanges.get() == 1
                    ? Mono.just(new Exchanged("t", Duration.ofSeconds(300), null))
                    : Mono.<Exchanged>never().doOnCancel(cancelled::incrementAndGet));
            assertThat(value(cache)).isEqualTo("t");
            time.advanceTimeBy(Duration.ofSeconds(240));
            assertThat(value(cache)).isEqualTo("t");
            assertThat(cache.isDisposed()).isFalse();
            cache.dispose();
            assertThat(cancelled).hasValue(1);
            assertThat(cache.isDisposed()).isTrue();
        }
    }

    @Nested
    class Tokens {
        @Test
        void toStringHidesTheToken() {
            assertThat(new Exchanged("secret-token", Duration.ZERO, Set.of("r1")).toString())
                    .contains("r1")
                    .doesNotContain("secret");
            assertThat(new AccessToken("secret-token", null, 0, 0, 0)).hasToString("AccessToken[***]");
        }

        @Test
        void aTokenCoversWhatItWasGrantedForAndAllWhenTheStsDidNotSay() {
            AccessToken granted = new AccessToken("t", Set.of("r1"), 0, 0, 0);
            assertThat(granted.covers("r1")).isTrue();
            assertThat(granted.covers("r2")).isFalse();
            assertThat(new AccessToken("t", null, 0, 0, 0).covers("r2")).isTrue();
            assertThat(granted.authorization()).isEqualTo("Bearer t");
        }
    }

    @Nested
    class Sleep {
        /** The wall clock goes on while the monotonic one stands still. */
        @Test
        void aTokenThatExpiredWhileTheMachineSleptIsNotServed() {
            TokenCache cache = numbered(Duration.ofSeconds(900));
            assertThat(value(cache)).isEqualTo("t1");
            clocks.moveWallClock(Duration.ofHours(1));
            assertThat(cache.peek()).isNull();
            assertThat(value(cache)).isEqualTo("t2");
            assertThat(early).as("nothing was served meanwhile").containsExactly(false, false);
            time.advanceTimeBy(Duration.ofSeconds(839));
            assertThat(value(cache))
                    .as("the next one lives as long as the first")
                    .isEqualTo("t2");
            time.advanceTimeBy(Duration.ofSeconds(1));
            assertThat(value(cache)).as("and is refreshed as early").isEqualTo("t2");
            assertThat(value(cache)).isEqualTo("t3");
        }

        @Test
        void aSleepBringsTheRefreshNearer() {
            TokenCache cache = numbered(Duration.ofSeconds(900));
            assertThat(value(cache)).isEqualTo("t1");
            clocks.moveWallClock(Duration.ofSeconds(845));
            assertThat(value(cache)).as("served while it is refreshed").isEqualTo("t1");
            assertThat(value(cache)).isEqualTo("t2");
            assertThat(early).containsExactly(false, true);
        }

        @ParameterizedTest
        @ValueSource(longs = {-3600, -4, 4})
        void aWallClockThatIsCorrectedOrSetBackChangesNothing(long seconds) {
            TokenCache cache = numbered(Duration.ofSeconds(900));
            assertThat(value(cache)).isEqualTo("t1");
            time.advanceTimeBy(Duration.ofSeconds(839));
            clocks.moveWallClock(Duration.ofSeconds(seconds));
            assertThat(value(cache)).isEqualTo("t1");
            assertThat(exchanges).hasValue(1);
        }
    }
}
