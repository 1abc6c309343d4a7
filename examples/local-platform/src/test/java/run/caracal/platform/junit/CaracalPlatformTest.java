package run.caracal.platform.junit;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;
import org.junit.jupiter.api.MethodOrderer;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestMethodOrder;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;
import org.junit.platform.launcher.listeners.SummaryGeneratingListener;
import org.junit.platform.launcher.listeners.TestExecutionSummary;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.FetchRequest;
import run.caracal.config.CaracalConfig;
import run.caracal.platform.FaultRule;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.Service;

/** The extension, on test classes that are run by the JUnit launcher. */
final class CaracalPlatformTest {

    private static final List<LocalPlatform> SEEN = new ArrayList<>();

    private record Run(TestExecutionSummary summary, String printed) {
        String failure() {
            return summary.getFailures().get(0).getException().toString();
        }
    }

    private static Run run(Class<?>... classes) {
        SEEN.clear();
        PrintStream before = System.err;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        SummaryGeneratingListener summary = new SummaryGeneratingListener();
        System.setErr(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            var request = LauncherDiscoveryRequestBuilder.request();
            for (Class<?> type : classes) {
                request = request.selectors(selectClass(type));
            }
            LauncherFactory.create().execute(request.build(), summary);
        } finally {
            System.setErr(before);
        }
        return new Run(summary.getSummary(), printed.toString(StandardCharsets.UTF_8));
    }

    @CaracalPlatform
    @TestMethodOrder(MethodOrderer.MethodName.class)
    static class Clean {
        Clean(LocalPlatform platform) {
            SEEN.add(platform);
        }

        @Test
        void first(Caracal caracal, CaracalConfig config, LocalPlatform platform) {
            assertThat(config.stsUrl()).hasToString(platform.stsUrl());
            StepVerifier.create(caracal.spawn(session -> Mono.just(1)))
                    .expectNext(1)
                    .verifyComplete();
        }

        @Test
        void second(LocalPlatform platform) {
            assertThat(platform.totalOpened()).as("reset").isZero();
        }

        @Nested
        class Inner {
            @Test
            void hasTheSamePlatform(LocalPlatform platform) {
                assertThat(SEEN).contains(platform);
            }
        }
    }

    @Test
    void injectsAndResetsOnePlatformForAClass() {
        Run run = run(Clean.class);
        assertThat(run.summary().getFailures()).isEmpty();
        assertThat(run.summary().getTestsSucceededCount()).isEqualTo(3);
        assertThat(SEEN).hasSizeGreaterThan(1).allMatch(SEEN.get(0)::equals).allMatch(LocalPlatform::isDisposed);
    }

    @CaracalPlatform
    static class Leaks {
        @Test
        void leaves(Caracal caracal) {
            StepVerifier.create(caracal.spawnService()).expectNextCount(1).verifyComplete();
        }
    }

    @Test
    void aTestThatLeavesASessionOpenFailsAndNamesIt() {
        Run run = run(Leaks.class);
        assertThat(run.summary().getTestsFailedCount()).isEqualTo(1);
        assertThat(run.failure()).contains("left 1 session open", "service of app-local");
    }

    @CaracalPlatform
    static class Fails {
        @Test
        void fails(Caracal caracal) {
            StepVerifier.create(caracal.spawn(
                            session -> caracal.fetch(FetchRequest.of("resource://billing-api", "/status/500"))))
                    .expectNextCount(1)
                    .verifyComplete();
        }
    }

    @Test
    void theAuditTrailOfAFailedTestIsPrinted() {
        Run run = run(Fails.class);
        assertThat(run.summary().getTestsFailedCount()).isEqualTo(1);
        assertThat(run.printed())
                .contains("Caracal audit trail of the failed test fails(Caracal)")
                .contains("gateway_resource_request allow executed app-local resource://billing-api");
    }

    @CaracalPlatform
    static class Hangs {
        @Test
        @Timeout(value = 500, unit = TimeUnit.MILLISECONDS)
        void hangs(Caracal caracal, LocalPlatform platform) {
            SEEN.add(platform);
            platform.faults(Service.COORDINATOR, FaultRule.stall());
            // Ends on interruption, unlike a StepVerifier.
            var unused = caracal.spawn(session -> Mono.just(1)).block();
        }
    }

    @Test
    void aTestThatHangsEndsWithItsPlatform() {
        long begun = System.nanoTime();
        Run run = run(Hangs.class);
        assertThat(Duration.ofNanos(System.nanoTime() - begun))
                .as("the end does not wait for the stalled call")
                .isLessThan(Duration.ofSeconds(10));
        assertThat(run.summary().getTestsFailedCount()).isEqualTo(1);
        assertThat(run.printed()).contains("Caracal audit trail of the failed test");
        assertThat(SEEN).hasSize(1).allMatch(LocalPlatform::isDisposed);
    }

    @CaracalPlatform(lifetime = CaracalPlatform.Lifetime.RUN)
    static class OneOfTheRun {
        @Test
        void sees(LocalPlatform platform) {
            SEEN.add(platform);
        }
    }

    @CaracalPlatform(lifetime = CaracalPlatform.Lifetime.RUN)
    static class AnotherOfTheRun {
        @Test
        void sees(LocalPlatform platform) {
            SEEN.add(platform);
        }
    }

    @Test
    void thePlatformOfTheRunIsShared() {
        Run run = run(OneOfTheRun.class, AnotherOfTheRun.class);
        assertThat(run.summary().getFailures()).isEmpty();
        assertThat(SEEN).hasSize(2).allMatch(SEEN.get(0)::equals).allMatch(LocalPlatform::isDisposed);
    }

    static class Registered {
        @RegisterExtension
        static final CaracalPlatformExtension CARACAL = CaracalPlatformExtension.builder()
                .platform(platform -> {
                    var unused = platform.zone("zone-own");
                })
                .build();

        @Test
        void hasItsOwnZone(CaracalConfig config) {
            SEEN.add(CARACAL.platform());
            assertThat(config.zoneId()).isEqualTo("zone-own");
        }
    }

    @Test
    void aRegisteredExtensionGivesPropertiesBeforeTheFirstTest() {
        Map<String, Supplier<Object>> properties = new HashMap<>();
        Registered.CARACAL.properties(properties::put);
        String asked = String.valueOf(
                Objects.requireNonNull(properties.get("caracal.sts-url")).get());
        assertThat(properties)
                .containsKeys(
                        "caracal.zone-id",
                        "caracal.application-id",
                        "caracal.client-secret",
                        "caracal.coordinator-url",
                        "caracal.gateway-url",
                        "caracal.bindings[0].resource",
                        "caracal.bindings[0].upstream-prefix",
                        "caracal.bindings[0].scopes");
        Run run = run(Registered.class);
        assertThat(run.summary().getFailures()).isEmpty();
        assertThat(SEEN.get(0).stsUrl()).as("started once").isEqualTo(asked);
        assertThat(SEEN.get(0).isDisposed()).isTrue();
    }
}
