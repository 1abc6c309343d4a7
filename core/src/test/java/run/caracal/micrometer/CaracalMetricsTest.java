package run.caracal.micrometer;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.observation.DefaultMeterObservationHandler;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationRegistry;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Set;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.Caracal;
import run.caracal.error.ApprovalNotGrantedException;
import run.caracal.error.AuthorityRevokedException;
import run.caracal.error.DelegationException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.event.Completion.Outcome;
import run.caracal.test.Everything;
import run.caracal.test.FakePlatform;

class CaracalMetricsTest {
    private final FakePlatform platform = new FakePlatform();
    private final Caracal caracal = platform.client();
    private final SimpleMeterRegistry registry = new SimpleMeterRegistry();

    private long timer(String name, String... tags) {
        return registry.get(name).tags(tags).timers().stream()
                .mapToLong(t -> t.count())
                .sum();
    }

    private double counter(String name, String... tags) {
        return registry.get(name).tags(tags).counters().stream()
                .mapToDouble(c -> c.count())
                .sum();
    }

    private double active() {
        return registry.get("caracal.sessions.active").gauge().value();
    }

    @Test
    void everyOperationHasItsMeter_withTagsFromSmallSets() {
        CaracalMetrics.of(caracal).withResources(List.of(Everything.RESOURCE)).bindTo(registry);
        Everything.doAll(platform, caracal);
        assertThat(timer("caracal.token.exchange", "cache", "miss", "outcome", "success"))
                .isEqualTo(1);
        assertThat(timer("caracal.token.exchange", "cache", "hit")).isPositive();
        assertThat(timer("caracal.mandate.mint", "resource", Everything.RESOURCE, "code", "none"))
                .isEqualTo(1);
        assertThat(timer("caracal.gateway.call", "resource", Everything.RESOURCE, "status", "200"))
                .isEqualTo(1);
        assertThat(timer("caracal.coordinator.call", "operation", "open")).isEqualTo(3);
        assertThat(counter("caracal.coordinator.attempts", "operation", "open")).isEqualTo(3);
        assertThat(timer("caracal.session.open", "outcome", "success")).isEqualTo(3);
        assertThat(timer("caracal.session.close")).isEqualTo(3);
        assertThat(active()).isZero();
        assertThat(timer("caracal.lease.renewal", "outcome", "success")).isEqualTo(1);
        assertThat(timer("caracal.lease.renewal", "outcome", "failure", "code", "lease_lost_fenced"))
                .isEqualTo(1);
        assertThat(timer("caracal.lease.lag")).isEqualTo(2);
        assertThat(counter("caracal.lease.lost", "reason", "fenced")).isEqualTo(1);
        assertThat(timer("caracal.delegation.create")).isEqualTo(2);
        assertThat(timer("caracal.delegation.accept")).isEqualTo(1);
        assertThat(timer("caracal.delegation.revoke")).isEqualTo(1);
        assertThat(timer("caracal.approval.wait", "outcome", "success")).isEqualTo(1);
        Set<String> keys =
                Set.of("outcome", "code", "cache", "resource", "status", "operation", "reason", "as", "mismatch");
        for (Meter meter : registry.getMeters()) {
            assertThat(meter.getId().getTags()).allSatisfy(tag -> {
                assertThat(keys).contains(tag.getKey());
                assertThat(tag.getValue())
                        .doesNotContain("session-")
                        .doesNotContain("edge-")
                        .doesNotContain("approval-1")
                        .doesNotContain("token-");
            });
        }
    }

    /** Unknown codes and resources create no meters, because services and requests can send any number of them. */
    @Test
    void unknownCodesAndResourcesAreOther() {
        CaracalMetrics.of(caracal).withTags(Tag.of("client", "one")).bindTo(registry);
        for (int i = 0; i < 20; i++) {
            String code = "made_up_" + i;
            platform.nextAnswer(FakePlatform::isMint, 403, "{\"error\":\"" + code + "\"}");
            String resource = "resource://r-" + i;
            StepVerifier.create(caracal.spawn(context -> caracal.mintMandate(resource, "a")))
                    .expectError()
                    .verify(LIMIT);
        }
        assertThat(registry.get("caracal.mandate.mint").timers())
                .singleElement()
                .satisfies(timer -> {
                    assertThat(timer.count()).isEqualTo(20);
                    assertThat(timer.getId().getTag("code")).isEqualTo("other");
                    assertThat(timer.getId().getTag("resource")).isEqualTo("other");
                    assertThat(timer.getId().getTag("client")).isEqualTo("one");
                });
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
    }

    @Test
    void whatHadToWaitForCapacityIsTimed() {
        Caracal limited = Caracal.create(platform.config().maxOpenSessions(2).build());
        CaracalMetrics.of(limited).bindTo(registry);
        Disposable first = limited.spawn(session -> Mono.never()).subscribe();
        StepVerifier.create(limited.spawn(session -> Mono.just(1)))
                .then(first::dispose)
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(timer("caracal.capacity.wait", "capacity", "session", "outcome", "success", "code", "none"))
                .isOne();
        StepVerifier.create(limited.disposeLater()).expectComplete().verify(LIMIT);
    }

    /** No code of this SDK's own is reported as other. */
    @Test
    void theSdksOwnCodesAreKnown() {
        for (TransportException.Kind kind : TransportException.Kind.values()) {
            assertKnown("transport_" + kind.name());
        }
        for (DelegationException.Reason reason : DelegationException.Reason.values()) {
            assertKnown("delegation_" + reason.name());
        }
        for (LeaseLostException.Reason reason : LeaseLostException.Reason.values()) {
            assertKnown("lease_lost_" + reason.name());
        }
        assertKnown("capacity_timeout");
        assertKnown("capacity_too_small");
        for (String state : List.of("rejected", "expired", "consumed")) {
            assertKnown(new ApprovalNotGrantedException("approval-1", state).code());
        }
        assertKnown(new AuthorityRevokedException("resource://billing-api", null).code());
    }

    /** The Coordinator is away while sessions end. */
    @Test
    void aGaugeFollowsTheTerminationsThatAreDueYet() {
        VirtualTimeScheduler time = VirtualTimeScheduler.getOrSet();
        try {
            Caracal client = platform.client();
            CaracalMetrics.of(client).bindTo(registry);
            Gauge pending =
                    registry.get("caracal.sessions.pending.terminations").gauge();
            for (int i = 0; i < 6; i++) {
                platform.nextAnswer(FakePlatform::isTerminate, 503, "");
            }
            StepVerifier.create(client.spawn(one -> Mono.just(1)).zipWith(client.spawn(two -> Mono.just(2))))
                    .then(() -> time.advanceTimeBy(Duration.ofMillis(960)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(pending.value()).isEqualTo(2);
            time.advanceTimeBy(Duration.ofMinutes(1));
            assertThat(pending.value()).isZero();
            assertThat(timer("caracal.session.terminate", "outcome", "success")).isEqualTo(2);
            assertThat(platform.live()).isEmpty();
            StepVerifier.create(client.disposeLater()).expectComplete().verify(LIMIT);
        } finally {
            VirtualTimeScheduler.reset();
        }
    }

    private static void assertKnown(String name) {
        String code = name.toLowerCase(Locale.ROOT);
        Completion failed = new Completion(Outcome.FAILURE, Duration.ZERO, 0, code, null);
        assertThat(Operations.code(new CaracalEvent.SessionClosed("s", failed))).isEqualTo(code);
    }

    @Test
    void theGaugeFollowsTheOpenSessions() {
        CaracalMetrics.of(caracal).bindTo(registry);
        StepVerifier.create(caracal.spawn(outer -> caracal.spawn(inner -> Mono.fromSupplier(this::active))
                        .zipWhen(two -> Mono.fromSupplier(this::active))))
                .assertNext(seen -> {
                    assertThat(seen.getT1()).isEqualTo(2);
                    assertThat(seen.getT2()).isEqualTo(1);
                })
                .expectComplete()
                .verify(LIMIT);
        assertThat(active()).isZero();
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
    }

    /** Unlike the stream of events, meters lose nothing, however much happens at once. */
    @Test
    void nothingIsLostInABurst() {
        CaracalMetrics.of(caracal).bindTo(registry);
        StepVerifier.create(Flux.range(0, 5_000)
                        .flatMap(
                                i -> caracal.spawn(context -> Mono.just(i)).subscribeOn(Schedulers.boundedElastic()),
                                64)
                        .count())
                .expectNext(5_000L)
                .expectComplete()
                .verify(Duration.ofSeconds(60));
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(timer("caracal.session.open")).isEqualTo(5_000);
        assertThat(timer("caracal.session.close")).isEqualTo(5_000);
        assertThat(active()).isZero();
    }

    @Nested
    class BesideObservations {
        private final ObservationRegistry observations = ObservationRegistry.create();

        private long timers(String name) {
            return registry.find(name).timers().stream().mapToLong(Timer::count).sum();
        }

        private void spawn() {
            StepVerifier.create(caracal.spawn(context -> Mono.just("done")))
                    .expectNext("done")
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void thatAreTimedAnOperationIsTimedOnce() {
            CaracalMetrics.of(caracal).bindTo(registry);
            observations.observationConfig().observationHandler(new DefaultMeterObservationHandler(registry));
            var observing = CaracalObservations.observe(caracal, observations);
            spawn();
            assertThat(timers("caracal.session.open")).isZero();
            assertThat(timer("caracal.operation", "operation", "session.open")).isEqualTo(1);
            assertThat(counter("caracal.coordinator.attempts", "operation", "open"))
                    .isEqualTo(1);
            observing.dispose();
            spawn();
            assertThat(timer("caracal.session.open", "outcome", "success")).isEqualTo(1);
            assertThat(timer("caracal.operation", "operation", "session.open")).isEqualTo(1);
            assertThat(active()).isZero();
        }

        @Test
        void thatAreTracedOnlyItIsTimedHere() {
            CaracalMetrics.of(caracal).bindTo(registry);
            observations.observationConfig().observationHandler(context -> true);
            var observing = CaracalObservations.observe(caracal, observations);
            spawn();
            assertThat(timer("caracal.session.open", "outcome", "success")).isEqualTo(1);
            observing.dispose();
        }

        @Test
        void ofOthersItIsTimedHere() {
            CaracalMetrics.of(caracal).bindTo(registry);
            observations.observationConfig().observationHandler(new DefaultMeterObservationHandler(registry));
            Observation request = Observation.start("http.server.requests", observations);
            StepVerifier.create(caracal.spawn(context -> Mono.empty())
                            .contextWrite(context -> context.put("micrometer.observation", request)))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(timer("caracal.session.open", "outcome", "success")).isEqualTo(1);
        }
    }
}
