package run.caracal.examples.soak;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.Mandate;
import run.caracal.MandateOptions;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CaracalException;
import run.caracal.platform.Fault;
import run.caracal.platform.FaultRule;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.ProtectedResource;
import run.caracal.platform.Service;

/**
 * Faults that recur for a minute each, on sockets and by the wall clock. Run with the soak, or alone: {@code mvn -q
 * process-test-classes -Dsoak -Dtest=LastingFaultsSoak}.
 */
class LastingFaultsSoak {
    private static final Duration LASTING = Duration.ofMinutes(1);
    private static final Duration LIMIT = Duration.ofMinutes(3);
    private static final String BILLING = "resource://billing-api";
    private static final String CHARGE = "billing:charge";

    /** The timeout of functions of the application, and a reserve for a busy machine. */
    private static final Duration BOUND = Duration.ofSeconds(35);

    private final LocalPlatform platform = LocalPlatform.builder()
            .resource(ProtectedResource.of(BILLING, CHARGE).withApproval("high", CHARGE))
            .limits(PlatformLimits.builder()
                    .tokenTtl(Duration.ofSeconds(4))
                    .approvalLife(Duration.ofMinutes(10))
                    .coordinatorRequestsPerMinute(Integer.MAX_VALUE)
                    .mintsPerMinute(Integer.MAX_VALUE)
                    .build())
            .start();

    private Caracal caracal = Caracal.create(config().build());

    private CaracalConfig.Builder config() {
        return platform.config().mutate().disposeTimeout(Duration.ofSeconds(5));
    }

    @AfterEach
    void nothingStaysOpen() {
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(Duration.ofSeconds(30));
        assertThat(platform.openSessionCount()).isZero();
        platform.disposeLater().block(LIMIT);
    }

    /** The outcome of a spawn, and its times. */
    private record Outcome(String code, Duration begun, Duration taken) {}

    private static Duration since(long start) {
        return Duration.ofNanos(System.nanoTime() - start);
    }

    /** Every second secret and every tenth hook hangs; no caller waits longer than the timeout. */
    @Test
    void hangingFunctionsHoldUpNobodyBeyondTheirBound() {
        AtomicInteger asked = new AtomicInteger();
        AtomicInteger hooked = new AtomicInteger();
        caracal = Caracal.create(config().clientSecret(
                        () -> asked.incrementAndGet() % 2 == 0 ? Mono.never() : Mono.just(platform.clientSecret()))
                .build());
        var unused =
                caracal.onSessionStart(context -> hooked.incrementAndGet() % 10 == 0 ? Mono.never() : Mono.empty());
        List<Outcome> outcomes = new CopyOnWriteArrayList<>();
        long start = System.nanoTime();
        Flux<Outcome> load = Flux.interval(Duration.ofMillis(250))
                .onBackpressureDrop()
                .take(LASTING)
                .flatMap(
                        tick -> {
                            Duration begun = since(start);
                            return caracal.spawn(context -> Mono.just("done"))
                                    .onErrorResume(CaracalException.class, e -> Mono.just(e.code()))
                                    .map(code -> new Outcome(
                                            code, begun, since(start).minus(begun)));
                        },
                        Integer.MAX_VALUE);
        StepVerifier.create(load.doOnNext(outcomes::add).then())
                .expectComplete()
                .verify(LIMIT);
        assertThat(outcomes).allSatisfy(outcome -> {
            assertThat(outcome.code()).isIn("done", "transport_connect", "callback_timeout");
            assertThat(outcome.taken()).isLessThan(BOUND);
        });
        assertThat(outcomes)
                .as("work continues behind the hung calls")
                .anyMatch(outcome ->
                        outcome.code().equals("done") && outcome.begun().compareTo(LASTING.dividedBy(2)) > 0);
        assertThat(asked.get()).as("asked anew").isGreaterThan(2);
    }

    /** A wait for an approval survives a restart of the STS. */
    @Test
    void anApprovalIsWaitedForWhileTheStsIsAway() {
        Mono<String> approved = caracal.spawn(context -> caracal.withApproval(approval -> caracal.mintMandate(
                        BILLING,
                        List.of(CHARGE),
                        approval.map(MandateOptions.defaults()::withApprovalId).orElse(MandateOptions.defaults()))
                .map(Mandate::resource)));
        Mono<Void> outages = Mono.delay(Duration.ofSeconds(1))
                .thenMany(Flux.range(0, (int) LASTING.dividedBy(Duration.ofSeconds(10))))
                .concatMap(outage -> platform.stop(Service.STS)
                        .then(Mono.delay(Duration.ofSeconds(8)))
                        .then(platform.start(Service.STS))
                        .then(Mono.delay(Duration.ofSeconds(2))))
                .then(Mono.fromRunnable(() ->
                        platform.decideApproval(platform.approvals().get(0).id(), true)));
        StepVerifier.create(Mono.zip(approved, outages.thenReturn(true)).map(both -> both.getT1()))
                .expectNext(BILLING)
                .expectComplete()
                .verify(LIMIT);
    }

    /** Replaces the shared schedulers under a client, as tests and tools do, each time with no call in flight. */
    @Test
    void sessionsGoOnWhileSharedSchedulersAreReplaced() {
        AtomicInteger ended = new AtomicInteger();
        var unused = caracal.onSessionEnd(
                context -> Mono.delay(Duration.ofMillis(1)).then(Mono.fromRunnable(ended::incrementAndGet)));
        // The first attempt of each opening is answered with 503.
        Set<String> struck = ConcurrentHashMap.newKeySet();
        platform.faults(
                Service.COORDINATOR,
                FaultRule.always(Fault.respond(503, Map.of(), "{\"error\":\"unavailable\"}"))
                        .on(request -> request.header("idempotency-key")
                                .filter(struck::add)
                                .isPresent()));
        Scheduler rounds = Schedulers.newSingle("rounds", true);
        try {
            AtomicInteger round = new AtomicInteger();
            Flux<String> load = Flux.interval(Duration.ZERO, Duration.ofSeconds(3), rounds)
                    .onBackpressureDrop()
                    .take(LASTING.dividedBy(Duration.ofSeconds(3)))
                    .concatMap(
                            tick -> Mono.defer(() -> {
                                Schedulers.setFactory(new Schedulers.Factory() {});
                                return caracal.spawn(context -> Mono.just("round " + round.incrementAndGet()));
                            }),
                            0);
            StepVerifier.create(load.count())
                    .assertNext(count -> assertThat(count).isGreaterThan(5))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(ended).hasValue(round.get());
        } finally {
            Schedulers.resetFactory();
            rounds.dispose();
        }
    }
}
