package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.ClosedException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.DelegationException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.LeaseLostException.Reason;
import run.caracal.event.CaracalEvent;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.test.Effort;
import run.caracal.test.FakePlatform;

class ServiceAgentTest {
    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    private ServiceAgent agent(ServiceOptions options) {
        return Objects.requireNonNull(caracal.spawnService(options).block(LIMIT));
    }

    private ServiceAgent agent() {
        return agent(ServiceOptions.defaults());
    }

    private static void close(ServiceAgent agent) {
        StepVerifier.create(agent.disposeLater()).expectComplete().verify(LIMIT);
    }

    private static Grant.Narrow ledger() {
        return Grant.narrow("ledger:read").resource("resource://ledger");
    }

    @Nested
    class Opening {
        @Test
        void aServiceIsOpenedWithoutATtlAndClosedWithItsGeneration() {
            ServiceAgent agent =
                    agent(ServiceOptions.builder().labels("billing-worker").build());
            assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
            assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(0)))
                    .contains("\"lifecycle\":\"service\"", "\"labels\":[\"billing-worker\"]")
                    .doesNotContain("ttl_seconds");
            StepVerifier.create(agent.headers())
                    .assertNext(headers ->
                            assertThat(headers.toString()).contains("caracal.agent_session=" + agent.agentSessionId()))
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(agent.bind(caracal.current()))
                    .expectNext(agent.context())
                    .expectComplete()
                    .verify(LIMIT);
            close(agent);
            assertThat(agent.state()).isEqualTo(ServiceAgent.State.CLOSED);
            assertThat(FakePlatform.body(
                            platform.requests(FakePlatform::isTerminate).get(0)))
                    .contains("\"lease_generation\":1");
            StepVerifier.create(agent.heartbeat())
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
            StepVerifier.create(agent.headers())
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
            StepVerifier.create(agent.lost()).expectComplete().verify(LIMIT);
            close(agent);
            assertThat(platform.requests(FakePlatform::isTerminate)).as("once").hasSize(1);
        }

        @Test
        void aSubscriberThatHasGoneLeavesNothingOpen() {
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(FakePlatform::isOpen, real -> real.delayUntil(r -> gate.asMono()));
            caracal.spawnService().subscribe().dispose();
            assertThat(platform.live()).hasSize(1);
            gate.tryEmitEmpty().orThrow();
            assertThat(platform.live()).isEmpty();
        }

        @Test
        void aFailureAfterACancellationIsNotDropped() {
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(
                    FakePlatform::isOpen,
                    real -> gate.asMono().then(Mono.just(FakePlatform.answer(403, "{\"error\":\"missing_scope\"}"))));
            caracal.spawnService().subscribe().dispose();
            gate.tryEmitEmpty().orThrow();
            assertThat(platform.opened()).isZero();
        }

        @Test
        void deliveredMeansOwned() {
            // next() cancels its source in the middle of the delivery, and has it nevertheless.
            ServiceAgent agent =
                    Objects.requireNonNull(caracal.spawnService().flux().next().block(LIMIT));
            assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
            assertThat(platform.live()).hasSize(1);
            close(agent);
        }

        @Test
        @Tag("soak")
        void cancelledAtRandomInstantsNothingStaysOpen() {
            int services = Effort.of(2_000, 20_000);
            Mono<Void> all = Flux.range(0, services)
                    .flatMap(
                            i -> {
                                platform.next(
                                        FakePlatform::isOpen,
                                        real -> pause().then(real).delayUntil(r -> pause()));
                                AtomicBoolean received = new AtomicBoolean();
                                return caracal.spawnService()
                                        .doOnNext(agent -> received.set(true))
                                        .takeUntilOther(pause().then(pause()))
                                        .flatMap(ServiceAgent::disposeLater)
                                        .onErrorComplete();
                            },
                            64)
                    .then();
            StepVerifier.create(all).expectComplete().verify(Duration.ofMinutes(1));
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            assertThat(platform.live()).isEmpty();
            assertThat(platform.opened()).isGreaterThan(services / 20);
        }

        private static Mono<Long> pause() {
            return Mono.defer(() ->
                    Mono.delay(Duration.ofNanos(ThreadLocalRandom.current().nextInt(400_000))));
        }

        @Test
        void aTaskIsNeverTheParentOfAService() {
            ServiceAgent agent = Objects.requireNonNull(caracal.spawn(task -> caracal.spawnService()
                            .doOnNext(service ->
                                    assertThat(service.context().traceId()).isEqualTo(task.traceId())))
                    .block(LIMIT));
            assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(1)))
                    .doesNotContain("parent_id");
            ServiceAgent child =
                    Objects.requireNonNull(agent.bind(caracal.spawnService()).block(LIMIT));
            assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(2)))
                    .contains("\"parent_id\":\"" + agent.agentSessionId() + "\"");
            ServiceAgent named = Objects.requireNonNull(caracal.spawnService(
                            ServiceOptions.builder().parent(agent.context()).build())
                    .block(LIMIT));
            assertThat(named.context().traceId())
                    .as("the trace of its parent, also outside of it")
                    .isEqualTo(agent.context().traceId());
            close(named);
            close(agent);
            assertThat(platform.ended())
                    .as("the child before its parent")
                    .endsWith(child.agentSessionId(), agent.agentSessionId());
            StepVerifier.create(caracal.spawn(task -> Mono.fromRunnable(() -> assertThatIllegalArgumentException()
                            .isThrownBy(() -> ServiceOptions.builder().parent(task))
                            .withMessageContaining("task"))))
                    .expectComplete()
                    .verify(LIMIT);
        }

        @ParameterizedTest
        @ValueSource(longs = {0, -1, -1000})
        void anIntervalThatIsNotPositiveIsRefused(long millis) {
            ServiceAgent agent = agent();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> agent.heartbeats(Duration.ofMillis(millis)))
                    .withMessageContaining("interval");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> ServiceOptions.builder().heartbeatInterval(Duration.ofMillis(millis)));
            close(agent);
        }

        @Test
        void optionsKeepWhatTheyWereGiven() {
            ServiceOptions options = ServiceOptions.builder()
                    .labels(List.of("a"))
                    .kind("instance")
                    .idempotencyKey("k")
                    .heartbeatInterval(Duration.ofSeconds(3))
                    .health(() -> Mono.just(Health.HEALTHY))
                    .build();
            ServiceOptions copy = options.mutate().build();
            assertThat(copy.labels()).containsExactly("a");
            assertThat(copy.kind()).contains("instance");
            assertThat(copy.idempotencyKey()).contains("k");
            assertThat(copy.heartbeatInterval()).contains(Duration.ofSeconds(3));
            assertThat(copy.health()).isPresent();
        }

        @Test
        void startHooksRunForServicesAndNotForHolders() {
            List<String> order = new java.util.concurrent.CopyOnWriteArrayList<>();
            Disposable start = caracal.onSessionStart(
                    context -> Mono.fromRunnable(() -> order.add("start " + context.agentSessionId())));
            Disposable stop = caracal.onSessionEnd(
                    context -> Mono.fromRunnable(() -> order.add("end " + context.agentSessionId())));
            close(agent(ServiceOptions.builder().grant(ledger()).build()));
            assertThat(order).containsExactly("start session-2", "end session-2");
            start.dispose();
            stop.dispose();
        }

        @Test
        void aReplayOfOurOwnLostAttemptIsNoStranger() {
            platform.nextLost(
                    FakePlatform::isOpen,
                    new run.caracal.error.TransportException(
                            run.caracal.error.TransportException.Kind.IO, "lost", null));
            ServiceAgent agent =
                    agent(ServiceOptions.builder().idempotencyKey("worker-1").build());
            assertThat(platform.opened()).isEqualTo(1);
            close(agent);
        }
    }

    @Nested
    class Renewing {
        @Test
        void aHeartbeatRenewsTheLease() {
            ServiceAgent agent = agent();
            StepVerifier.create(agent.heartbeat())
                    .assertNext(lease -> {
                        assertThat(lease.agentSessionId()).isEqualTo(agent.agentSessionId());
                        assertThat(lease.length()).isEqualTo(Duration.ofSeconds(120));
                    })
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(FakePlatform.body(
                            platform.requests(FakePlatform::isHeartbeat).get(0)))
                    .contains("\"status\":\"healthy\"", "\"lease_generation\":1");
            close(agent);
        }

        @Test
        void anIntervalOfAMillisecondRenewsOnceASecond() {
            VirtualTimeScheduler time = VirtualTimeScheduler.getOrSet();
            try {
                Caracal client = platform.client();
                ServiceAgent agent = Objects.requireNonNull(client.spawnService(ServiceOptions.builder()
                                .heartbeatInterval(Duration.ofMillis(1))
                                .build())
                        .block(LIMIT));
                time.advanceTimeBy(Duration.ofSeconds(10));
                assertThat(platform.requests(FakePlatform::isHeartbeat)).hasSizeBetween(9, 11);
                assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
                StepVerifier.create(client.disposeLater())
                        .then(() -> time.advanceTimeBy(Duration.ofSeconds(1)))
                        .expectComplete()
                        .verify(LIMIT);
            } finally {
                VirtualTimeScheduler.reset();
            }
        }

        @Test
        void listenersAreHeardOnAnotherThreadThanTheRenewals() {
            ServiceAgent agent = agent();
            StepVerifier.create(agent.heartbeats(Duration.ofSeconds(1))
                            .map(lease -> Thread.currentThread().getName())
                            .take(2))
                    .thenConsumeWhile(name -> !name.startsWith("caracal-leases"))
                    .expectComplete()
                    .verify(LIMIT);
            close(agent);
        }

        @ParameterizedTest
        @ValueSource(ints = {408, 429, 500, 502, 503})
        void whatIsTransientIsTriedAgainAtTheNextTick(int status) {
            ServiceAgent agent = agent();
            platform.nextAnswer(FakePlatform::isHeartbeat, status, "{\"error\":\"unavailable\"}");
            StepVerifier.create(agent.heartbeat())
                    .expectError(CoordinatorException.class)
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isHeartbeat))
                    .as("one attempt")
                    .hasSize(1);
            assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
            StepVerifier.create(agent.heartbeat())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            close(agent);
        }

        /** Every worker blocked, and the renewals neither starve nor burst afterwards. */
        @Test
        void blockedWorkersDoNotStarveTheRenewals() {
            ServiceAgent agent = agent(ServiceOptions.builder()
                    .heartbeatInterval(Duration.ofSeconds(1))
                    .build());
            AtomicBoolean release = new AtomicBoolean();
            AtomicInteger blocked = new AtomicInteger();
            AtomicInteger spins = new AtomicInteger();
            int workers = Schedulers.DEFAULT_POOL_SIZE;
            Disposable blockers = Flux.merge(IntStream.range(0, workers)
                            .mapToObj(i -> Mono.fromRunnable(() -> {
                                        blocked.incrementAndGet();
                                        // BlockHound takes Thread.onSpinWait() for blocking, too.
                                        while (!release.get()) {
                                            spins.incrementAndGet();
                                        }
                                    })
                                    .subscribeOn(Schedulers.parallel()))
                            .toList())
                    .subscribe();
            long until = System.nanoTime() + TimeUnit.SECONDS.toNanos(3);
            int before = platform.requests(FakePlatform::isHeartbeat).size();
            while (System.nanoTime() < until) {
                Thread.onSpinWait();
            }
            int during = platform.requests(FakePlatform::isHeartbeat).size() - before;
            assertThat(blocked).hasPositiveValue();
            assertThat(during).as("renewals while blocked").isGreaterThan(1);
            release.set(true);
            assertThat(during).as("never more than the ticks").isLessThan(5);
            int after = platform.requests(FakePlatform::isHeartbeat).size();
            StepVerifier.create(Mono.delay(Duration.ofMillis(200)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isHeartbeat).size() - after)
                    .as("no burst")
                    .isLessThan(2);
            blockers.dispose();
            close(agent);
        }

        @ParameterizedTest
        @ValueSource(strings = {"\"lease_generation\":\"7\",", "\"lease_generation\":7,"})
        void theGenerationMayBeANumberOrAText(String generation) {
            platform.next(
                    FakePlatform::isOpen,
                    real -> real.then(Mono.just(FakePlatform.answer(
                            201,
                            "{\"agent_session_id\":\"session-1\"," + generation + "\"delegation_edge_id\":null}"))));
            ServiceAgent agent = agent();
            StepVerifier.create(agent.heartbeat())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(FakePlatform.body(
                            platform.requests(FakePlatform::isHeartbeat).get(0)))
                    .contains("\"lease_generation\":7");
            close(agent);
        }

        @Test
        void withoutAGenerationNoneIsSent() {
            platform.next(
                    FakePlatform::isOpen,
                    real -> real.then(Mono.just(FakePlatform.answer(201, "{\"agent_session_id\":\"session-1\"}"))));
            platform.nextAnswer(FakePlatform::isHeartbeat, 200, "{\"agent\":{\"status\":\"active\"}}");
            ServiceAgent agent = agent();
            StepVerifier.create(agent.heartbeat())
                    .assertNext(lease -> assertThat(lease.length()).isNull())
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(FakePlatform.body(
                            platform.requests(FakePlatform::isHeartbeat).get(0)))
                    .doesNotContain("lease_generation");
            close(agent);
            assertThat(FakePlatform.body(
                            platform.requests(FakePlatform::isTerminate).get(0)))
                    .isEmpty();
        }

        /** The wall clocks do not have to agree. */
        @ParameterizedTest
        @ValueSource(ints = {-600, 0, 600})
        void theClocksMayDifferByTenMinutes(int seconds) {
            platform.leases(Duration.ofSeconds(90), Duration.ofSeconds(seconds));
            ServiceAgent agent = agent();
            StepVerifier.create(agent.heartbeat())
                    .assertNext(lease -> assertThat(lease.length()).isEqualTo(Duration.ofSeconds(90)))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
            close(agent);
        }

        @Test
        void renewalsAndLossesAreEvents() {
            Queue<CaracalEvent> events = new ConcurrentLinkedQueue<>();
            Disposable listener = caracal.onEvent(events::add);
            ServiceAgent agent = agent();
            platform.next(FakePlatform::isHeartbeat, real -> real);
            platform.next(
                    FakePlatform::isHeartbeat,
                    real -> Mono.just(new HttpResponse(
                            409,
                            java.util.Map.of(),
                            "{\"error\":\"session_lease_fenced\"}".getBytes(java.nio.charset.StandardCharsets.UTF_8))));
            StepVerifier.create(agent.heartbeat())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(agent.heartbeat())
                    .expectError(LeaseLostException.class)
                    .verify(LIMIT);
            close(agent);
            platform.live().clear();
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(Duration.ofSeconds(30));
            assertThat(events)
                    .filteredOn(CaracalEvent.LeaseRenewed.class::isInstance)
                    .hasSize(2);
            assertThat(events)
                    .filteredOn(CaracalEvent.LeaseLost.class::isInstance)
                    .singleElement()
                    .satisfies(e ->
                            assertThat(((CaracalEvent.LeaseLost) e).reason()).isEqualTo(Reason.FENCED));
            listener.dispose();
        }

        /** Renewal, takeover and close carry the bearer and the trace. */
        @Test
        void everyCallOfALeaseCarriesIdentityAndTrace() {
            ServiceAgent agent = agent();
            StepVerifier.create(agent.heartbeat())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            close(agent);
            assertThat(platform.requests(r -> FakePlatform.isHeartbeat(r) || FakePlatform.isTerminate(r)))
                    .hasSize(2)
                    .allSatisfy(r -> {
                        assertThat(FakePlatform.header(r, "Authorization")).isEqualTo("Bearer token-1");
                        assertThat(FakePlatform.header(r, "traceparent"))
                                .contains(agent.context().traceId());
                    });
        }

        /** The words of a proxy end no lease. */
        @ParameterizedTest
        @ValueSource(ints = {401, 403, 404})
        void whatIsNotTheCoordinatorsOwnWordIsTransient(int status) {
            ServiceAgent agent = agent();
            platform.nextAnswer(FakePlatform::isHeartbeat, status, "<html>default backend</html>");
            platform.nextAnswer(FakePlatform::isHeartbeat, status, "<html>default backend</html>");
            StepVerifier.create(agent.heartbeat())
                    .expectError(CoordinatorException.class)
                    .verify(LIMIT);
            assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
            close(agent);
            assertThat(platform.live()).isEmpty();
        }
    }

    @Nested
    class Losing {
        @ParameterizedTest
        @CsvSource({
            "404, session_not_found, GONE",
            "409, session_not_live, GONE",
            "409, session_lease_fenced, FENCED",
            "409, session_subject_inactive, SUBJECT_INACTIVE",
            "409, session_lease_expired, EXPIRED",
            "403, application_ownership_required, UNAUTHORIZED"
        })
        void whatTheCoordinatorSaysForGoodIsALoss(int status, String code, Reason reason) {
            ServiceAgent agent = agent();
            platform.nextAnswer(FakePlatform::isHeartbeat, status, "{\"error\":\"" + code + "\"}");
            StepVerifier.create(agent.heartbeats(Duration.ofSeconds(1)))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    LeaseLostException.class,
                                    lost -> assertThat(lost.reason()).isEqualTo(reason)))
                    .verify(LIMIT);
            StepVerifier.create(agent.lost())
                    .expectError(LeaseLostException.class)
                    .verify(LIMIT);
            assertThat(agent.state()).isEqualTo(ServiceAgent.State.LOST);
            close(agent);
            if (reason == Reason.FENCED || reason == Reason.GONE) {
                assertThat(platform.requests(FakePlatform::isTerminate))
                        .as("the session is not ours to terminate")
                        .isEmpty();
                platform.live().clear();
            }
        }

        @Test
        void aSecondRefusalOfTheTokenIsALoss() {
            ServiceAgent agent = agent();
            platform.nextAnswer(FakePlatform::isHeartbeat, 401, "{\"error\":\"identity_revoked\"}");
            StepVerifier.create(agent.heartbeat())
                    .as("one new token")
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            platform.nextAnswer(FakePlatform::isHeartbeat, 401, "{\"error\":\"invalid_token\"}");
            platform.nextAnswer(FakePlatform::isHeartbeat, 401, "{\"error\":\"invalid_token\"}");
            StepVerifier.create(agent.heartbeat())
                    .expectErrorMatches(
                            e -> e instanceof LeaseLostException lost && lost.reason() == Reason.UNAUTHORIZED)
                    .verify(LIMIT);
            close(agent);
        }

        @Test
        void aSuspendedSessionIsALoss() {
            ServiceAgent agent = agent();
            platform.nextAnswer(FakePlatform::isHeartbeat, 200, "{\"agent\":{\"status\":\"suspended\"}}");
            StepVerifier.create(agent.heartbeat())
                    .expectErrorMatches(e -> e instanceof LeaseLostException lost && lost.reason() == Reason.SUSPENDED)
                    .verify(LIMIT);
            close(agent);
            assertThat(platform.requests(FakePlatform::isTerminate))
                    .as("it may be resumed")
                    .isEmpty();
            platform.live().clear();
        }

        /** Within a second of the deadline, by this machine alone. */
        @Test
        void aLeaseThatNobodyRenewsIsLostLocally() {
            platform.leases(Duration.ofMillis(300), Duration.ZERO);
            ServiceAgent agent = agent();
            StepVerifier.create(agent.lost())
                    .expectErrorMatches(e -> e instanceof LeaseLostException lost && lost.reason() == Reason.EXPIRED)
                    .verify(Duration.ofMillis(1_300));
            assertThat(platform.requests(FakePlatform::isHeartbeat)).isEmpty();
            close(agent);
        }
    }

    @Nested
    class HealthSignals {
        @Test
        void theHealthSignalIsWhatARenewalCarries() {
            AtomicInteger asked = new AtomicInteger();
            ServiceAgent agent = agent(ServiceOptions.builder()
                    .health(() -> switch (asked.incrementAndGet()) {
                        case 1 -> Mono.just(Health.DEGRADED);
                        case 2 -> Mono.error(new IllegalStateException("sick"));
                        case 3 -> Mono.empty();
                        default -> Mono.just(Health.HEALTHY);
                    })
                    .build());
            StepVerifier.create(agent.heartbeat())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(agent.heartbeat()).expectErrorMessage("sick").verify(LIMIT);
            StepVerifier.create(agent.heartbeat())
                    .expectError(IllegalStateException.class)
                    .verify(LIMIT);
            StepVerifier.create(agent.heartbeat())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isHeartbeat))
                    .extracting(FakePlatform::body)
                    .satisfiesExactly(
                            first -> assertThat(first).contains("\"status\":\"degraded\""),
                            second -> assertThat(second).contains("\"status\":\"healthy\""));
            assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
            close(agent);
        }

        /** A signal that hangs stops its own lease, and no other. */
        @Test
        void aHealthSignalThatHangsHoldsUpNoOtherLease() {
            AtomicBoolean release = new AtomicBoolean();
            ServiceAgent hanging = agent(ServiceOptions.builder()
                    .heartbeatInterval(Duration.ofSeconds(1))
                    .health(() -> Mono.fromSupplier(() -> {
                        while (!release.get()) {
                            java.util.concurrent.locks.LockSupport.parkNanos(1_000_000);
                        }
                        return Health.HEALTHY;
                    }))
                    .build());
            ServiceAgent healthy = agent(ServiceOptions.builder()
                    .heartbeatInterval(Duration.ofSeconds(1))
                    .build());
            StepVerifier.create(healthy.heartbeats().take(2))
                    .expectNextCount(2)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(r ->
                            FakePlatform.isHeartbeat(r) && r.uri().getPath().contains(hanging.agentSessionId() + "/")))
                    .isEmpty();
            release.set(true);
            close(hanging);
            close(healthy);
        }

        /** The service is bound where its health is asked. */
        @Test
        void theHealthSignalSeesTheService() {
            ServiceAgent agent = agent(ServiceOptions.builder()
                    .heartbeatInterval(Duration.ofSeconds(1))
                    .health(() -> caracal.headers().thenReturn(Health.HEALTHY))
                    .build());
            StepVerifier.create(agent.heartbeats().take(2))
                    .expectNextCount(2)
                    .expectComplete()
                    .verify(LIMIT);
            close(agent);
        }
    }

    @Nested
    class Running {
        @Test
        void runServiceRenewsBehindTheWorkAndClosesAtItsEnd() {
            ServiceOptions options = ServiceOptions.builder()
                    .heartbeatInterval(Duration.ofSeconds(1))
                    .build();
            Sinks.Empty<Void> renewed = Sinks.empty();
            platform.next(FakePlatform::isHeartbeat, real -> real);
            platform.next(
                    FakePlatform::isHeartbeat,
                    real -> real.doOnNext(r -> renewed.tryEmitEmpty().orThrow()));
            StepVerifier.create(caracal.runService(
                            options,
                            agent -> caracal.current()
                                    .map(CaracalContext::agentSessionId)
                                    .concatWith(renewed.asMono().thenReturn("done"))))
                    .expectNext("session-1", "done")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isHeartbeat)).hasSizeGreaterThan(1);
            assertThat(platform.ended()).containsExactly("session-1");
            StepVerifier.create(caracal.runService(options, agent -> Mono.error(new IllegalStateException("work"))))
                    .expectErrorMessage("work")
                    .verify(LIMIT);
            Disposable running =
                    caracal.runService(options, agent -> Flux.never()).subscribe();
            running.dispose();
            assertThat(platform.ended()).containsExactly("session-1", "session-2", "session-3");
        }

        @Test
        void theLossOfTheLeaseCancelsTheWork() {
            ServiceOptions options = ServiceOptions.builder()
                    .heartbeatInterval(Duration.ofSeconds(1))
                    .build();
            AtomicInteger cancelled = new AtomicInteger();
            StepVerifier.create(caracal.runService(
                            options,
                            agent -> Flux.never()
                                    .doOnSubscribe(s -> platform.nextAnswer(
                                            FakePlatform::isHeartbeat, 409, "{\"error\":\"session_lease_fenced\"}"))
                                    .doOnCancel(cancelled::incrementAndGet)))
                    .expectErrorMatches(e -> e instanceof LeaseLostException lost && lost.reason() == Reason.FENCED)
                    .verify(LIMIT);
            assertThat(cancelled).hasValue(1);
            platform.live().clear();
        }

        /** A service ends once, even if its own work closes the agent. */
        @Test
        void anAgentClosedInsideItsWorkEndsOnce() {
            AtomicInteger hooks = new AtomicInteger();
            Disposable hook = caracal.onSessionEnd(context -> Mono.fromRunnable(hooks::incrementAndGet));
            StepVerifier.create(caracal.runService(
                            ServiceOptions.defaults(),
                            agent -> agent.disposeLater()
                                    .then(agent.disposeLater())
                                    .then(Mono.<String>empty())))
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isTerminate)).hasSize(1);
            assertThat(hooks).hasValue(1);
            hook.dispose();
        }
    }

    @Nested
    class Attaching {
        @Test
        void attachTakesTheSessionOver() {
            ServiceAgent first = agent();
            ServiceAgent second = Objects.requireNonNull(
                    caracal.attachService(first.agentSessionId()).block(LIMIT));
            HttpRequest attach = platform.requests(FakePlatform::isAttach).get(0);
            assertThat(attach.body()).isNull();
            assertThat(FakePlatform.header(attach, "Content-Type")).isNull();
            StepVerifier.create(second.heartbeat())
                    .assertNext(lease -> assertThat(lease.generation()).isEqualTo(2))
                    .expectComplete()
                    .verify(LIMIT);
            close(second);
            assertThat(FakePlatform.body(
                            platform.requests(FakePlatform::isTerminate).get(0)))
                    .contains("\"lease_generation\":2");
            close(first);
        }

        @ParameterizedTest
        @CsvSource({"session_lease_expired, EXPIRED, open a new service", "session_suspended, SUSPENDED, resumed"})
        void anExpiredOrSuspendedSessionIsATypedError(String code, Reason reason, String remedy) {
            platform.nextAnswer(FakePlatform::isAttach, 409, "{\"error\":\"" + code + "\"}");
            StepVerifier.create(caracal.attachService("some-session"))
                    .expectErrorSatisfies(e -> {
                        assertThat(e).isInstanceOf(LeaseLostException.class).hasMessageContaining(remedy);
                        assertThat(((LeaseLostException) e).reason()).isEqualTo(reason);
                    })
                    .verify(LIMIT);
        }

        @Test
        void aTaskCannotBeAttached() {
            platform.nextAnswer(FakePlatform::isAttach, 409, "{\"error\":\"session_not_service\"}");
            StepVerifier.create(caracal.attachService("some-task"))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOf(CoordinatorException.class)
                            .hasMessageContaining("session_not_service")
                            .hasMessageContaining("spawnService"))
                    .verify(LIMIT);
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> caracal.attachService(".."))
                    .withMessageContaining("agentSessionId");
        }

        /** An attach that is cancelled before it is sent takes over no session. */
        @Test
        void anAttachThatWasCancelledBeforeItWasSentFencesNobody() {
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(FakePlatform::isToken, real -> gate.asMono().then(real));
            caracal.attachService("somebodys-session").subscribe().dispose();
            gate.tryEmitEmpty().orThrow();
            assertThat(platform.requests(FakePlatform::isAttach)).isEmpty();
            assertThat(platform.requests(FakePlatform::isTerminate)).isEmpty();
        }

        @Test
        void anAttachThatWasCancelledInFlightClosesTheSession() {
            ServiceAgent first = agent();
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(FakePlatform::isAttach, real -> real.delayUntil(r -> gate.asMono()));
            caracal.attachService(first.agentSessionId()).subscribe().dispose();
            gate.tryEmitEmpty().orThrow();
            assertThat(platform.live()).isEmpty();
            close(first);
        }
    }

    @Nested
    class Narrowed {
        /** A narrowed service without a parent gets one that holds its authority, and both end together. */
        @Test
        void aNarrowedServiceHasAHolder() {
            ServiceAgent agent = agent(ServiceOptions.builder()
                    .labels("billing-worker")
                    .grant(ledger())
                    .build());
            assertThat(platform.requests(FakePlatform::isOpen)).hasSize(2);
            assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(1)))
                    .contains("\"parent_id\":\"session-1\"", "billing-worker");
            assertThat(FakePlatform.body(
                            platform.requests(FakePlatform::isDelegate).get(0)))
                    .contains(
                            "\"source_session_id\":\"session-1\"",
                            "\"target_session_id\":\"session-2\"",
                            "\"resource_id\":\"resource://ledger\"",
                            "\"ttl_seconds\":86400");
            assertThat(agent.context().delegationEdgeId()).isPresent();
            assertThat(agent.agentSessionId()).isEqualTo("session-2");
            close(agent);
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
        }

        @Test
        void whatCannotBeDelegatedLeavesNothingOpen() {
            platform.nextAnswer(FakePlatform::isDelegate, 403, "{\"error\":\"delegation_scopes_exceed_resource\"}");
            StepVerifier.create(caracal.spawnService(
                            ServiceOptions.builder().grant(ledger()).build()))
                    .expectError(CoordinatorException.class)
                    .verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
        }

        @Test
        void aMissingResourceIsAnErrorBeforeAnyCall() {
            Caracal two = Caracal.create(platform.config()
                    .resource("resource://other", "https://other.example.com")
                    .build());
            StepVerifier.create(two.spawnService(
                            ServiceOptions.builder().grant(Grant.narrow("a")).build()))
                    .expectError(DelegationException.class)
                    .verify(LIMIT);
            assertThat(platform.requests(r -> true)).isEmpty();
            StepVerifier.create(two.disposeLater()).expectComplete().verify(LIMIT);
        }

        /** The delegation is renewed before it expires, and the context shows the present one. */
        @Test
        void theDelegationIsRenewed() {
            ServiceAgent agent = agent(ServiceOptions.builder()
                    .grant(Grant.narrow("ledger:read")
                            .resource("resource://ledger")
                            .ttl(Duration.ofSeconds(40)))
                    .build());
            String first = agent.context().delegationEdgeId().orElseThrow();
            StepVerifier.create(Mono.fromSupplier(
                                    () -> agent.context().delegationEdgeId().orElseThrow())
                            .filter(edge -> !edge.equals(first))
                            .repeatWhenEmpty(500, n -> n.delayElements(Duration.ofMillis(10))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
            close(agent);
        }

        /** The Gateway refuses a call when the authority behind it has less than 35 seconds left. */
        @ParameterizedTest
        @ValueSource(ints = {40, 45, 60, 600})
        void aDelegationIsRenewedWhileTheGatewayStillTakesIt(int seconds) {
            VirtualTimeScheduler time = VirtualTimeScheduler.getOrSet();
            try {
                Caracal client = platform.client();
                ServiceAgent agent = Objects.requireNonNull(client.spawnService(ServiceOptions.builder()
                                .grant(ledger().ttl(Duration.ofSeconds(seconds)))
                                .heartbeatInterval(Duration.ofSeconds(30))
                                .build())
                        .block(LIMIT));
                for (int second = 0; second < 700; second++) {
                    time.advanceTimeBy(Duration.ofSeconds(1));
                    long ends = Objects.requireNonNull(
                            agent.context().bound().present().edgeEnds());
                    assertThat(Duration.ofNanos(ends - time.now(TimeUnit.NANOSECONDS)))
                            .as("left after %s s", second + 1)
                            .isGreaterThan(Duration.ofSeconds(35));
                }
                assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
                assertThat(platform.requests(FakePlatform::isDelegate))
                        .hasSizeBetween(700 / seconds + 1, 700 / Math.min(seconds / 2, seconds - 38) + 1);
                var unused = client.disposeLater().subscribe();
                time.advanceTimeBy(Duration.ofMinutes(1));
                assertThat(platform.live()).isEmpty();
            } finally {
                VirtualTimeScheduler.reset();
            }
        }

        @Test
        void aDelegationThatIsRefusedIsALoss() {
            ServiceAgent agent = agent(ServiceOptions.builder()
                    .grant(Grant.narrow("ledger:read")
                            .resource("resource://ledger")
                            .ttl(Duration.ofSeconds(40)))
                    .build());
            platform.nextAnswer(FakePlatform::isDelegate, 403, "{\"error\":\"parent_delegation_not_active\"}");
            StepVerifier.create(agent.lost())
                    .expectErrorMatches(
                            e -> e instanceof LeaseLostException lost && lost.reason() == Reason.UNAUTHORIZED)
                    .verify(LIMIT);
            close(agent);
        }

        @Test
        void theLossOfTheHolderIsALoss() {
            platform.leases(Duration.ofMillis(900), Duration.ZERO);
            ServiceAgent agent = agent(ServiceOptions.builder().grant(ledger()).build());
            platform.next(
                    r -> FakePlatform.isHeartbeat(r) && r.uri().getPath().contains("session-1/"),
                    real -> Mono.just(FakePlatform.answer(409, "{\"error\":\"session_lease_fenced\"}")));
            StepVerifier.create(agent.lost())
                    .expectError(LeaseLostException.class)
                    .verify(LIMIT);
            close(agent);
            platform.live().clear();
        }

        /** A holder that was fenced stops, and its children with it. */
        @Test
        void aFencedHolderStops() {
            ServiceAgent agent = agent();
            platform.nextAnswer(FakePlatform::isHeartbeat, 409, "{\"error\":\"session_lease_fenced\"}");
            StepVerifier.create(agent.heartbeat())
                    .expectError(LeaseLostException.class)
                    .verify(LIMIT);
            StepVerifier.create(agent.headers())
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
            ServiceAgent child =
                    Objects.requireNonNull(agent.bind(caracal.spawnService()).block(LIMIT));
            close(agent);
            assertThat(child.state()).isEqualTo(ServiceAgent.State.CLOSED);
            assertThat(platform.ended()).containsExactly(child.agentSessionId());
            platform.live().clear();
        }

        /** Work that was bound before shows the renewed delegation. */
        @Test
        void boundWorkShowsTheRenewedDelegation() {
            ServiceAgent agent = agent(ServiceOptions.builder()
                    .grant(Grant.narrow("ledger:read")
                            .resource("resource://ledger")
                            .ttl(Duration.ofSeconds(40)))
                    .build());
            String first = agent.context().delegationEdgeId().orElseThrow();
            StepVerifier.create(agent.bind(caracal.headers()
                            .map(headers -> headers.getOrDefault("baggage", ""))
                            .filter(baggage -> !baggage.contains(first))
                            .repeatWhenEmpty(500, n -> n.delayElements(Duration.ofMillis(10)))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            close(agent);
        }
    }

    @Nested
    class Closing {
        @Test
        void nothingIsSentAfterTheClose() {
            ServiceAgent agent = agent(ServiceOptions.builder()
                    .heartbeatInterval(Duration.ofSeconds(1))
                    .build());
            StepVerifier.create(agent.heartbeats().take(2))
                    .expectNextCount(2)
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(agent.heartbeats())
                    .expectNextCount(1)
                    .then(() -> close(agent))
                    .thenConsumeWhile(lease -> true)
                    .expectComplete()
                    .verify(LIMIT);
            int sent = platform.requests(r -> true).size();
            StepVerifier.create(Mono.delay(Duration.ofMillis(50)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(r -> true)).hasSize(sent);
        }

        /** The platform ends nothing then, so the session that holds authority on demand has to be ended by itself. */
        @Test
        void anAgentThatWasFencedBeforeItsCloseEndsItsHelper() {
            ServiceAgent agent = agent();
            StepVerifier.create(agent.bind(caracal.mintMandate("resource://billing-api", "billing:charge")))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.live()).hasSize(2);
            platform.nextAnswer(FakePlatform::isTerminate, 409, "{\"error\":\"session_lease_fenced\"}");
            close(agent);
            assertThat(platform.live()).containsExactly(agent.agentSessionId());
            platform.live().clear(); // its new holder ends it
        }

        /** The platform ends all below it. */
        @Test
        void theEndOfAnAgentEndsItsHelperInOneRequest() {
            ServiceAgent agent = agent();
            StepVerifier.create(agent.bind(caracal.mintMandate("resource://billing-api", "billing:charge")))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            close(agent);
            assertThat(platform.requests(FakePlatform::isTerminate)).hasSize(1);
            assertThat(platform.live()).isEmpty();
        }

        @Test
        void anOpenServiceDoesNotHoldUpTheClose() {
            ServiceAgent agent = agent();
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(Duration.ofSeconds(5));
            assertThat(agent.state()).isEqualTo(ServiceAgent.State.CLOSED);
            assertThat(platform.live()).isEmpty();
        }
    }
}
