package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import reactor.util.context.Context;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CapacityException;
import run.caracal.error.ClosedException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.Limit;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent.CapacityWaited;
import run.caracal.event.CaracalEvent.CapacityWaited.Capacity;
import run.caracal.event.Completion.Outcome;
import run.caracal.test.FakePlatform;

/** Calls over the limits of the platform wait, if the client is configured with them. */
class CapacityTest {
    private static final String RESOURCE = "resource://billing-api";

    private final FakePlatform platform = new FakePlatform();
    private final Queue<CapacityWaited> waits = new ConcurrentLinkedQueue<>();
    private final List<Throwable> errors = new ArrayList<>();
    private VirtualTimeScheduler time;
    private Caracal caracal;

    @BeforeEach
    void virtualTime() {
        time = VirtualTimeScheduler.getOrSet();
        caracal = client(2);
    }

    @AfterEach
    void realTime() {
        caracal.dispose();
        time.advanceTimeBy(Duration.ofMinutes(2));
        VirtualTimeScheduler.reset();
    }

    private Caracal client(int places) {
        return client(platform.config().maxOpenSessions(places));
    }

    private Caracal client(CaracalConfig.Builder config) {
        Caracal made = Caracal.create(
                config.sessionAcquireTimeout(Duration.ofSeconds(100)).build());
        var unused = made.onOperation((event, context) -> {
            if (event instanceof CapacityWaited waited) {
                waits.add(waited);
            }
        });
        return made;
    }

    private Disposable open(Mono<?> work) {
        return work.subscribe(null, errors::add);
    }

    private Disposable openForEver() {
        return open(caracal.spawn(session -> Mono.never()));
    }

    @Nested
    class Sessions {
        @Test
        void onesWithoutAPlaceWaitAndSendNothing() {
            Disposable first = openForEver();
            Disposable second = openForEver();
            assertThat(platform.opened()).isOne();
            time.advanceTimeBy(Duration.ofSeconds(7));
            first.dispose();
            assertThat(platform.opened()).isEqualTo(2);
            assertThat(platform.live()).hasSize(1);
            assertThat(waits).singleElement().satisfies(waited -> {
                assertThat(waited.capacity()).isEqualTo(Capacity.SESSION);
                assertThat(waited.completion().outcome()).isEqualTo(Outcome.SUCCESS);
                assertThat(waited.completion().duration()).isEqualTo(Duration.ofSeconds(7));
            });
            second.dispose();
        }

        @Test
        void aCancelledWaiterLeavesNoTrace() {
            Disposable first = openForEver();
            openForEver().dispose();
            Disposable third = openForEver();
            first.dispose();
            assertThat(platform.opened()).isEqualTo(2);
            assertThat(waits)
                    .first()
                    .satisfies(
                            waited -> assertThat(waited.completion().outcome()).isEqualTo(Outcome.CANCELLED));
            third.dispose();
            assertThat(platform.live()).isEmpty();
        }

        @Test
        void manyResultsWaitToo() {
            Disposable first = openForEver();
            StepVerifier.create(caracal.spawnMany(session -> Flux.range(0, 3)))
                    .then(() -> assertThat(platform.opened()).isOne())
                    .then(first::dispose)
                    .expectNext(0, 1, 2)
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void oneThatNeverEndsFailsTheOthersInTime() {
            Disposable never = openForEver();
            var unused = openForEver();
            time.advanceTimeBy(Duration.ofSeconds(100));
            assertThat(errors)
                    .singleElement()
                    .satisfies(e -> assertThat(e)
                            .isInstanceOf(CapacityException.class)
                            .hasMessageContaining("maxOpenSessions is 2")
                            .hasMessageContaining("PT1M40S"));
            assertThat(platform.opened()).isOne();
            never.dispose();
        }

        @Test
        void aClosedClientRefusesWaitersAtOnce() {
            var unusedNever = openForEver();
            for (int i = 0; i < 3; i++) {
                var unused = openForEver();
            }
            caracal.dispose();
            assertThat(errors).hasSize(3).allSatisfy(e -> assertThat(e).isInstanceOf(ClosedException.class));
            assertThat(platform.opened()).isOne();
        }

        /** The permit of the second is reserved; a third level could wait for ever. */
        @Test
        void nestedOnesNeverWaitForTheirOwnAncestors() {
            StepVerifier.create(caracal.spawn(one -> caracal.spawn(two -> Mono.just("two"))))
                    .expectNext("two")
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(caracal.spawn(one -> caracal.spawn(two -> caracal.spawn(three -> Mono.just("three")))))
                    .expectErrorSatisfies(e ->
                            assertThat(e).isInstanceOf(CapacityException.class).hasMessageContaining("at least 4"))
                    .verify(LIMIT);
            assertThat(platform.live()).isEmpty();
        }

        @Test
        void aScopedCallInTheOnlyPlaceIsToldTheLeast() {
            Caracal one = client(1);
            StepVerifier.create(one.spawn(session -> one.mintMandate(RESOURCE, "billing:charge")))
                    .expectErrorSatisfies(e ->
                            assertThat(e).isInstanceOf(CapacityException.class).hasMessageContaining("at least 2"))
                    .verify(LIMIT);
            assertThat(platform.live()).isEmpty();
            one.dispose();
        }

        @Test
        void whatObtainsAuthorityCountsBeforeItIsNeeded() {
            Sinks.Empty<Void> go = Sinks.empty();
            var first = open(caracal.spawn(session -> go.asMono()
                    .then(caracal.mintMandate(RESOURCE, "billing:charge"))
                    .then(Mono.never())));
            var second = openForEver();
            assertThat(platform.opened()).isOne();
            go.tryEmitEmpty().orThrow();
            assertThat(errors).isEmpty();
            assertThat(platform.live()).hasSize(2);
            first.dispose();
            assertThat(platform.live()).hasSize(1);
            second.dispose();
        }

        /** The platform ends the helper with its session, so there is no second termination that would release its permit. */
        @Test
        void theOneTerminationOfASessionFreesThePlaceOfItsHelperToo() {
            Disposable first = open(caracal.spawn(
                    session -> caracal.mintMandate(RESOURCE, "billing:charge").then(Mono.never())));
            Disposable second = openForEver(); // needs two permits: its own, and one for its helper
            assertThat(platform.opened()).isEqualTo(2);
            first.dispose();
            assertThat(platform.requests(FakePlatform::isTerminate)).hasSize(1);
            assertThat(platform.opened()).isEqualTo(3);
            second.dispose();
            assertThat(platform.live()).isEmpty();
            assertThat(errors).isEmpty();
        }

        @Test
        void applicationTransportsAndNarrowedServicesCount() {
            caracal = client(4);
            StepVerifier.create(caracal.applicationTransport(RESOURCE, "billing:charge")
                            .resolve(FakePlatform.BILLING + "/charge", null, Context.empty()))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.live()).hasSize(2);
            var unusedService = open(caracal.spawnService(ServiceOptions.builder()
                    .grant(Grant.narrow("billing:charge").resource(RESOURCE))
                    .build()));
            assertThat(platform.live()).hasSize(4);
            var waiting = openForEver();
            assertThat(platform.opened()).isEqualTo(4);
            waiting.dispose();
        }

        /** The platform counts a session until it has ended. */
        @Test
        void onesWhoseEndIsStillOwedKeepTheirPlaces() {
            platform.nextAnswer(FakePlatform::isTerminate, 503, "{}");
            platform.nextAnswer(FakePlatform::isTerminate, 503, "{}");
            platform.nextAnswer(FakePlatform::isTerminate, 503, "{}");
            StepVerifier.create(caracal.spawn(session -> Mono.just("done")))
                    .then(() -> time.advanceTimeBy(Duration.ofMillis(960)))
                    .expectNext("done")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(caracal.pendingTerminations()).isOne();
            Disposable next = openForEver();
            assertThat(platform.opened()).isOne();
            time.advanceTimeBy(Duration.ofSeconds(2));
            assertThat(caracal.pendingTerminations()).isZero();
            assertThat(platform.opened()).isEqualTo(2);
            next.dispose();
        }

        @Test
        void failedOpeningsGiveTheirPlacesBack() {
            platform.nextAnswer(FakePlatform::isOpen, 403, "{\"error\":\"missing_scope\"}");
            var unusedRefused = openForEver();
            platform.nextLost(FakePlatform::isOpen, new IllegalStateException("no answer of anybody"));
            var unusedBroken = openForEver();
            assertThat(errors).hasSize(2);
            Disposable next = openForEver();
            assertThat(platform.live()).isNotEmpty();
            next.dispose();
        }

        @Test
        void withoutALimitNothingWaits() {
            Caracal free = platform.client();
            var all = Flux.range(0, 200)
                    .flatMap(i -> free.spawn(session -> Mono.never()), 200)
                    .subscribe();
            assertThat(platform.live()).hasSize(200);
            all.dispose();
            free.dispose();
        }
    }

    @Nested
    class LimitsOfTheCoordinator {
        @ParameterizedTest
        @ValueSource(
                strings = {"session_zone_limit_exceeded", "session_limit_exceeded", "session_children_limit_exceeded"})
        void anOpeningWaitsForSessionsOfOthersToEnd(String code) {
            for (int i = 0; i < 3; i++) {
                platform.nextAnswer(FakePlatform::isOpen, 429, "{\"error\":\"" + code + "\"}");
            }
            Disposable session = openForEver();
            assertThat(platform.live()).isEmpty();
            time.advanceTimeBy(Duration.ofSeconds(4));
            assertThat(errors).isEmpty();
            assertThat(platform.live()).hasSize(1);
            session.dispose();
        }

        /** The limit counts clock minutes. */
        @Test
        void everyCallOfASessionWaitsForTheNextMinute() {
            time.advanceTimeBy(Duration.ofSeconds(10));
            platform.nextAnswer(FakePlatform::isOpen, 429, "{\"error\":\"rate_limited\"}");
            Disposable session = open(caracal.spawn(
                    one -> caracal.mintMandate(RESOURCE, "billing:charge").then(Mono.never())));
            time.advanceTimeBy(Duration.ofMillis(49_999));
            assertThat(platform.live()).isEmpty();
            platform.nextAnswer(FakePlatform::isDelegate, 429, "{\"error\":\"rate_limited\"}");
            time.advanceTimeBy(Duration.ofMillis(1_001));
            assertThat(platform.live()).hasSize(2);
            assertThat(platform.edges()).isEmpty();
            time.advanceTimeBy(Duration.ofSeconds(61));
            assertThat(platform.edges()).hasSize(1);
            platform.nextAnswer(FakePlatform::isTerminate, 429, "{\"error\":\"rate_limited\"}");
            session.dispose();
            assertThat(platform.live()).isNotEmpty();
            time.advanceTimeBy(Duration.ofSeconds(61));
            assertThat(platform.live()).isEmpty();
            assertThat(caracal.pendingTerminations()).isZero();
            assertThat(errors).isEmpty();
        }

        /** A grant counts from when it was asked for, not from when the wait for it began. */
        @Test
        void theWaitIsNoPartOfTheTtl() {
            platform.nextAnswer(FakePlatform::isOpen, 429, "{\"error\":\"rate_limited\"}");
            Disposable session = open(caracal.spawn(
                    SpawnOptions.builder().ttl(Duration.ofSeconds(30)).build(),
                    one -> caracal.mintMandate(RESOURCE, "billing:charge").then(Mono.never())));
            time.advanceTimeBy(Duration.ofSeconds(61));
            assertThat(errors).isEmpty();
            assertThat(platform.edges()).hasSize(1);
            session.dispose();
        }

        /** The state of a service with a lease of 30 seconds, a minute after it was asked for. */
        private ServiceAgent.State afterTheNextMinute() {
            platform.leases(Duration.ofSeconds(30), Duration.ZERO);
            platform.nextAnswer(FakePlatform::isOpen, 429, "{\"error\":\"rate_limited\"}");
            List<ServiceAgent> agents = new ArrayList<>();
            Disposable opening = open(caracal.spawnService().doOnNext(agents::add));
            time.advanceTimeBy(Duration.ofSeconds(62));
            opening.dispose();
            assertThat(agents).hasSize(1);
            return agents.get(0).state();
        }

        @Test
        void theWaitIsNoPartOfALease() {
            assertThat(afterTheNextMinute()).isEqualTo(ServiceAgent.State.ACTIVE);
        }

        /** A replay grants nothing anew. */
        @Test
        void aLeaseCountsFromTheLostAttemptThatWasGrantedIt() {
            platform.nextLost(FakePlatform::isOpen, new TransportException(TransportException.Kind.IO, "lost", null));
            assertThat(afterTheNextMinute()).isEqualTo(ServiceAgent.State.LOST);
        }

        @Test
        void itIsWaitedForNoLongerThanAsked() {
            for (int i = 0; i < 1_000; i++) {
                platform.nextAnswer(FakePlatform::isOpen, 429, "{\"error\":\"session_zone_limit_exceeded\"}");
            }
            var unusedNever = openForEver();
            time.advanceTimeBy(Duration.ofSeconds(98));
            assertThat(errors).isEmpty();
            time.advanceTimeBy(Duration.ofSeconds(2));
            assertThat(errors)
                    .singleElement()
                    .satisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    CoordinatorException.class,
                                    met -> assertThat(met.limit())
                                            .contains(new Limit(Limit.Kind.ZONE_SESSIONS, 50, true, null))));
        }

        @Test
        void theDepthIsNotWaitedFor() {
            platform.nextAnswer(FakePlatform::isOpen, 429, "{\"error\":\"session_depth_limit_exceeded\"}");
            var unusedNever = openForEver();
            assertThat(errors).hasSize(1);
        }

        @Test
        void withoutALimitOfItsOwnTheClientFailsAtOnce() {
            Caracal free = platform.client();
            platform.nextAnswer(FakePlatform::isOpen, 429, "{\"error\":\"rate_limited\"}");
            StepVerifier.create(free.spawn(session -> Mono.empty()))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOf(CoordinatorException.class)
                            .hasMessageContaining("maxOpenSessions"))
                    .verify(LIMIT);
            free.dispose();
        }

        @Test
        void aClosedClientRefusesOpeningsThatWaitAtOnce() {
            platform.nextAnswer(FakePlatform::isOpen, 429, "{\"error\":\"rate_limited\"}");
            var unusedWaiting = openForEver();
            caracal.dispose();
            assertThat(errors).singleElement().isInstanceOf(ClosedException.class);
            time.advanceTimeBy(Duration.ofMinutes(2));
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(1);
        }

        /** A closing client does not wait for the next minute, so it retries at once. */
        @Test
        void aTerminationThatWaitsWhenTheClientClosesIsTriedOnceMore() {
            Disposable session = openForEver();
            platform.nextAnswer(FakePlatform::isTerminate, 429, "{\"error\":\"rate_limited\"}");
            session.dispose();
            caracal.dispose();
            time.advanceTimeBy(Duration.ofSeconds(25));
            assertThat(platform.live()).isEmpty();
        }
    }

    @Nested
    class Mints {
        @Test
        void mandatesOfAResourceAreSpreadOverTheMinute() {
            caracal = client(platform.config().maxMintsPerMinute(10));
            var all = caracal.spawn(session -> Flux.range(0, 9)
                            .flatMap(i -> caracal.mintMandate(RESOURCE, "billing:charge"), 9)
                            .then())
                    .subscribe(null, errors::add);
            assertThat(platform.requests(FakePlatform::isMint)).hasSize(1);
            time.advanceTimeBy(Duration.ofSeconds(59));
            assertThat(platform.requests(FakePlatform::isMint)).hasSize(5);
            time.advanceTimeBy(Duration.ofSeconds(37));
            assertThat(platform.requests(FakePlatform::isMint)).hasSize(9);
            assertThat(errors).isEmpty();
            assertThat(waits)
                    .hasSize(8)
                    .allSatisfy(waited -> assertThat(waited.capacity()).isEqualTo(Capacity.MINT));
            all.dispose();
        }

        @Test
        void aMandateWhoseTurnDoesNotComeInTimeIsNotMinted() {
            caracal = client(platform.config().maxMintsPerMinute(2));
            var unusedWork = open(caracal.spawn(session -> Flux.range(0, 3)
                    .flatMap(i -> caracal.mintMandate(RESOURCE, "billing:charge"), 3)
                    .then()));
            time.advanceTimeBy(Duration.ofSeconds(100));
            assertThat(errors)
                    .singleElement()
                    .satisfies(e -> assertThat(e)
                            .isInstanceOf(CapacityException.class)
                            .hasMessageContaining("maxMintsPerMinute is 2"));
            assertThat(platform.requests(FakePlatform::isMint)).hasSize(2);
        }
    }

    @Test
    void limitsThatCannotBeAreRefusedWhereTheyAreSet() {
        for (int none : new int[] {0, -1, Integer.MIN_VALUE}) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> platform.config().maxOpenSessions(none))
                    .withMessageContaining("maxOpenSessions: is " + none)
                    .withMessageContaining("at least 1");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> platform.config().maxMintsPerMinute(none))
                    .withMessageContaining("at least 2");
        }
        assertThatIllegalArgumentException()
                .isThrownBy(() -> platform.config().maxMintsPerMinute(1))
                .withMessageContaining("at least 2");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> platform.config().sessionAcquireTimeout(Duration.ZERO))
                .withMessageContaining("sessionAcquireTimeout");
    }
}
