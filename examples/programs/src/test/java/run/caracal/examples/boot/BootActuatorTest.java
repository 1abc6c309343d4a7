package run.caracal.examples.boot;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.observation.ObservationHandler;
import io.micrometer.tracing.handler.PropagatingReceiverTracingObservationHandler;
import io.micrometer.tracing.otel.bridge.OtelCurrentTraceContext;
import io.micrometer.tracing.otel.bridge.OtelPropagator;
import io.micrometer.tracing.otel.bridge.OtelTracer;
import io.opentelemetry.api.trace.Tracer;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.propagation.ContextPropagators;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.boot.test.context.TestConfiguration;
import org.springframework.context.annotation.Bean;
import org.springframework.test.annotation.DirtiesContext;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import org.springframework.test.web.reactive.server.WebTestClient;
import run.caracal.platform.Service;
import run.caracal.platform.junit.CaracalPlatformExtension;

/** The Boot application with the actuator and a tracer. */
@DirtiesContext
@SpringBootTest(
        webEnvironment = WebEnvironment.RANDOM_PORT,
        properties = {
            "management.endpoints.web.exposure.include=health,metrics,info",
            "management.endpoint.health.show-details=always"
        })
class BootActuatorTest {
    private static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";

    @RegisterExtension
    static final CaracalPlatformExtension caracal =
            CaracalPlatformExtension.builder().build();

    @DynamicPropertySource
    static void properties(DynamicPropertyRegistry registry) {
        caracal.properties(registry::add);
    }

    @Value("${local.server.port}")
    private int port;

    /** Boot's beans for a bridge to OpenTelemetry. */
    @TestConfiguration(proxyBeanMethods = false)
    static class Tracing {
        @Bean
        ObservationHandler<?> tracing() {
            Tracer tracer = SdkTracerProvider.builder().build().get("orders");
            return new PropagatingReceiverTracingObservationHandler<>(
                    new OtelTracer(tracer, new OtelCurrentTraceContext(), event -> {}),
                    new OtelPropagator(ContextPropagators.create(W3CTraceContextPropagator.getInstance()), tracer));
        }
    }

    private WebTestClient application() {
        return WebTestClient.bindToServer().baseUrl("http://localhost:" + port).build();
    }

    private void placeAnOrder() {
        application()
                .post()
                .uri("/orders")
                .header("traceparent", "00-" + TRACE + "-00f067aa0ba902b7-01")
                .bodyValue("{\"amount\": 1200}")
                .exchange()
                .expectStatus()
                .isOk()
                .expectBody(String.class)
                .returnResult();
    }

    private String read(String path) {
        return String.valueOf(application()
                .get()
                .uri("/actuator/" + path)
                .exchange()
                .expectStatus()
                .isOk()
                .expectBody(String.class)
                .returnResult()
                .getResponseBody());
    }

    @Test
    void healthIsThatOfThePlatform() {
        assertThat(read("health")).contains("\"caracal\":{", "\"application\":\"", "\"status\":\"UP\"");
        assertThat(read("info")).contains("\"caracal\":{");
    }

    @Test
    void metersCountTheSessions() {
        placeAnOrder();
        assertThat(read("metrics/caracal.operation")).contains("\"statistic\":\"COUNT\"");
        assertThat(read("metrics/caracal.sessions.active")).contains("\"value\":0.0");
    }

    @Test
    void aSessionJoinsTheTraceOfItsRequest() {
        placeAnOrder();
        assertThat(Stream.of(Service.COORDINATOR, Service.GATEWAY, Service.UPSTREAM))
                .allSatisfy(service -> assertThat(caracal.platform().received(service))
                        .isNotEmpty()
                        .allSatisfy(request -> assertThat(request.header("traceparent"))
                                .hasValueSatisfying(trace -> assertThat(trace).startsWith("00-" + TRACE))));
    }
}
