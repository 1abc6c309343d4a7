package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static run.caracal.test.FakePlatform.LIMIT;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.ClosedException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.LeaseLostException.Reason;
import run.caracal.error.TransportException;
import run.caracal.test.FakePlatform;

/** A daemon survives transient failures: the loss of its service, an outage, and errors of its work. */
class DaemonTest {
    private static final Duration BACKOFF = Duration.ofSeconds(1);
    private static final Duration LONGEST = Duration.ofMinutes(1);
    private static final ServiceOptions DAEMON =
            ServiceOptions.builder().labels("worker").reopen(BACKOFF).build();

    private final FakePlatform platform = new FakePlatform();
    private VirtualTimeScheduler time;
    private Caracal caracal;

    @BeforeEach
    void inVirtualTime() {
        time = VirtualTimeScheduler.getOrSet();
        caracal = platform.client();
    }

    @AfterEach
    void nothingStaysOpen() {
        platform.nothingStaysOpen(caracal, time, Duration.ofSeconds(10));
    }

    /** Emits its session id and continues. */
    private Flux<String> daemon() {
        return caracal.runService(DAEMON, DaemonTest::working);
    }

    private static Flux<String> working(ServiceAgent agent) {
        return Flux.just(agent.agentSessionId()).concatWith(Mono.never());
    }

    private void nextRenewalIsRefused(int status, String code) {
        platform.nextAnswer(FakePlatform::isHeartbeat, status, "{\"error\":\"" + code + "\"}");
        time.advanceTimeBy(LONGEST);
    }

    private static TransportException unreachable() {
        return new TransportException(TransportException.Kind.CONNECT, "connection refused", null);
    }

    @Nested
    class ALoss {
        @ParameterizedTest
        @CsvSource({"409, session_lease_expired", "404, session_not_found", "409, session_subject_inactive"})
        void opensANewServiceWhenTheSessionHasEnded(int status, String code) {
            StepVerifier.create(daemon())
                    .expectNext("session-1")
                    .then(() -> nextRenewalIsRefused(status, code))
                    .expectNext("session-2")
                    .thenCancel()
                    .verify(LIMIT);
            // A session that the Coordinator reports as gone is not terminated.
            platform.live().remove("session-1");
        }

        @ParameterizedTest
        @CsvSource({
            "409, session_lease_fenced, FENCED",
            "409, session_suspended, SUSPENDED",
            "403, application_ownership_required, UNAUTHORIZED"
        })
        void endsItWhenItIsNotItsOwnToMend(int status, String code, Reason reason) {
            StepVerifier.create(daemon())
                    .expectNext("session-1")
                    .then(() -> nextRenewalIsRefused(status, code))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    LeaseLostException.class,
                                    lost -> assertThat(lost.reason()).isEqualTo(reason)))
                    .verify(LIMIT);
            assertThat(platform.opened()).isEqualTo(1);
            // A session taken over by another holder stays open at the platform.
            platform.live().clear();
        }

        @Test
        void ofTheServiceThatHoldsTheAuthorityOpensBothAnew() {
            ServiceOptions narrowed = DAEMON.mutate()
                    .grant(Grant.narrow("billing:read").resource("resource://billing-api"))
                    .build();
            StepVerifier.create(caracal.runService(narrowed, DaemonTest::working))
                    .expectNext("session-2")
                    .then(() -> {
                        platform.nextAnswer(
                                request -> FakePlatform.isHeartbeat(request)
                                        && request.uri().getPath().contains("session-1/"),
                                404,
                                "{\"error\":\"session_not_found\"}");
                        time.advanceTimeBy(LONGEST);
                    })
                    .expectNext("session-4")
                    .thenCancel()
                    .verify(LIMIT);
            platform.live().remove("session-1");
        }

        @Test
        void replacesWhatTheWorkMeetsWithoutALease() {
            StepVerifier.create(caracal.runService(
                            ServiceOptions.defaults(),
                            agent -> Flux.just(agent.agentSessionId())
                                    .concatWith(agent.lost()
                                            .onErrorMap(lost -> new IllegalStateException("call without a lease"))
                                            .then(Mono.empty()))))
                    .expectNext("session-1")
                    .then(() -> nextRenewalIsRefused(404, "session_not_found"))
                    .expectError(LeaseLostException.class)
                    .verify(LIMIT);
            platform.live().clear();
        }
    }

    @Nested
    class AnOutage {
        @Test
        void isWaitedFor() {
            for (int attempt = 0; attempt < 9; attempt++) {
                platform.next(FakePlatform::isOpen, real -> Mono.error(unreachable()));
            }
            StepVerifier.create(daemon())
                    .then(() -> time.advanceTimeBy(LONGEST))
                    .expectNext("session-1")
                    .thenCancel()
                    .verify(LIMIT);
        }

        @Test
        void thatIsARefusalEndsIt() {
            platform.nextAnswer(FakePlatform::isOpen, 403, "{\"error\":\"missing_scope\"}");
            StepVerifier.create(daemon())
                    .expectError(CoordinatorException.class)
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(1);
        }

        @Test
        void canBeLeft() {
            platform.next(FakePlatform::isOpen, real -> Mono.error(unreachable()));
            platform.next(FakePlatform::isOpen, real -> Mono.error(unreachable()));
            platform.next(FakePlatform::isOpen, real -> Mono.error(unreachable()));
            Disposable daemon = daemon().subscribe();
            time.advanceTimeBy(Duration.ofMillis(900));
            daemon.dispose();
            time.advanceTimeBy(LONGEST);
            assertThat(platform.opened()).isZero();
        }

        @Test
        void ofAClosedClientEndsIt() {
            // In real time, because closing would dispose the virtual time scheduler.
            VirtualTimeScheduler.reset();
            caracal = platform.client();
            for (int attempt = 0; attempt < 3; attempt++) {
                platform.next(FakePlatform::isOpen, real -> Mono.error(unreachable()));
            }
            StepVerifier.create(daemon())
                    .then(() -> caracal.dispose())
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
        }
    }

    @Nested
    class AFailureOfItsWork {
        private final AtomicInteger begun = new AtomicInteger();
        private final List<Long> beginnings = new ArrayList<>();

        private Mono<String> failing(int times) {
            return Mono.defer(() -> {
                beginnings.add(time.now(TimeUnit.MILLISECONDS));
                return begun.incrementAndGet() <= times
                        ? Mono.error(new IllegalStateException("failure " + begun))
                        : caracal.current().map(CaracalContext::agentSessionId);
            });
        }

        @Test
        void beginsItAgainInTheSameService() {
            StepVerifier.create(caracal.runServiceMono(DAEMON, agent -> failing(2)))
                    .then(() -> time.advanceTimeBy(Duration.ofSeconds(4)))
                    .expectNext("session-1")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(begun).hasValue(3);
            assertThat(platform.opened()).isEqualTo(1);
            assertThat(platform.ended()).containsExactly("session-1");
        }

        @Test
        void thatIsAnErrorOfTheProgramEndsIt() {
            StepVerifier.create(caracal.runServiceMono(DAEMON, agent -> Mono.error(new AssertionError("program"))))
                    .expectError(AssertionError.class)
                    .verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-1");
        }

        @Test
        void makesPausesGrowToAMinute() {
            Disposable daemon =
                    caracal.runServiceMono(DAEMON, agent -> failing(1_000)).subscribe();
            time.advanceTimeBy(Duration.ofMinutes(10));
            daemon.dispose();
            for (int i = 1; i < beginnings.size(); i++) {
                long nominal = Math.min(LONGEST.toMillis(), BACKOFF.toMillis() << (i - 1));
                assertThat(beginnings.get(i) - beginnings.get(i - 1))
                        .isBetween(nominal * 3 / 4 - 1, nominal * 5 / 4 + 1);
            }
            assertThat(begun.get()).isBetween(11, 20);
        }

        @Test
        void afterAGoodTimeBeginsWithTheFirstPause() {
            AtomicInteger ends = new AtomicInteger();
            Mono<Void> work = Mono.defer(() -> {
                beginnings.add(time.now(TimeUnit.MILLISECONDS));
                // The seventh run lasts long enough to reset the backoff.
                return ends.incrementAndGet() == 7
                        ? Mono.delay(LONGEST.multipliedBy(3)).then(Mono.error(new IllegalStateException("late")))
                        : Mono.error(new IllegalStateException("early"));
            });
            Disposable daemon = caracal.runServiceMono(DAEMON, agent -> work).subscribe();
            time.advanceTimeBy(Duration.ofMinutes(6));
            daemon.dispose();
            assertThat(beginnings.get(7)
                            - beginnings.get(6)
                            - LONGEST.multipliedBy(3).toMillis())
                    .isBetween(740L, 1260L);
        }

        @Test
        void isLeftBehindWhenTheLeaseIsLostMeanwhile() {
            StepVerifier.create(caracal.runService(
                            DAEMON,
                            agent -> agent.agentSessionId().equals("session-1")
                                    ? Flux.error(new IllegalStateException("never again"))
                                    : Flux.just(agent.agentSessionId())))
                    .then(() -> nextRenewalIsRefused(404, "session_not_found"))
                    .thenAwait()
                    .then(() -> time.advanceTimeBy(Duration.ofSeconds(2)))
                    .expectNext("session-2")
                    .expectComplete()
                    .verify(LIMIT);
            platform.live().clear();
        }

        @Test
        void endsWhatIsNoDaemon() {
            StepVerifier.create(caracal.runServiceMono(ServiceOptions.defaults(), agent -> failing(1)))
                    .expectErrorMessage("failure 1")
                    .verify(LIMIT);
            assertThat(begun).hasValue(1);
        }
    }

    @Test
    void itsResultIsSignalledWhenTheServiceIsClosed() {
        StepVerifier.create(caracal.runServiceMono(DAEMON, agent -> Mono.just("done"))
                        .doOnNext(done -> assertThat(platform.ended()).containsExactly("session-1")))
                .expectNext("done")
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void oneLineTellsThatRenewalsRecovered() {
        ByteArrayOutputStream lines = new ByteArrayOutputStream();
        PrintStream before = System.err;
        System.setErr(new PrintStream(lines, true, StandardCharsets.UTF_8));
        try {
            for (int renewal = 0; renewal < 3; renewal++) {
                platform.next(FakePlatform::isHeartbeat, real -> Mono.error(unreachable()));
            }
            Disposable daemon = daemon().subscribe();
            time.advanceTimeBy(Duration.ofMinutes(10));
            daemon.dispose();
        } finally {
            System.setErr(before);
        }
        assertThat(lines.toString(StandardCharsets.UTF_8).lines())
                .filteredOn(line -> line.contains("is renewed again"))
                .singleElement()
                .asString()
                .contains("session-1", "after 3 failures");
    }

    @Test
    void aKeyOpensOneSessionAlone() {
        ServiceOptions.Builder keyed = ServiceOptions.builder().reopen(BACKOFF).idempotencyKey("key");
        assertThatIllegalArgumentException().isThrownBy(keyed::build).withMessageContaining("idempotencyKey");
    }
}
