package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.context.ContextRegistry;
import io.micrometer.context.ContextSnapshot;
import io.micrometer.context.ContextSnapshotFactory;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationRegistry;
import io.micrometer.observation.contextpropagation.ObservationThreadLocalAccessor;
import io.micrometer.tracing.Span;
import io.micrometer.tracing.contextpropagation.ObservationAwareSpanThreadLocalAccessor;
import io.micrometer.tracing.handler.DefaultTracingObservationHandler;
import io.micrometer.tracing.otel.bridge.OtelCurrentTraceContext;
import io.micrometer.tracing.otel.bridge.OtelTracer;
import io.opentelemetry.sdk.common.CompletableResultCode;
import io.opentelemetry.sdk.trace.SdkTracerProvider;
import io.opentelemetry.sdk.trace.data.SpanData;
import io.opentelemetry.sdk.trace.export.SimpleSpanProcessor;
import io.opentelemetry.sdk.trace.export.SpanExporter;
import io.opentelemetry.sdk.trace.samplers.Sampler;
import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.slf4j.MDC;
import org.slf4j.helpers.BasicMDCAdapter;
import org.slf4j.spi.MDCAdapter;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.FetchRequest;
import run.caracal.http.HttpResponse;
import run.caracal.micrometer.CaracalContextAccessor;
import run.caracal.micrometer.CaracalObservations;
import run.caracal.micrometer.MicrometerTraceSource;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.ReceivedRequest;
import run.caracal.platform.Service;

/** The trace of an application with Micrometer Tracing and OpenTelemetry, at all participants of a call. */
class TraceEndToEndTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    private final LocalPlatform platform = LocalPlatform.builder().start();
    private final Caracal caracal = Caracal.create(platform.config()
            .mutate()
            .traceSource(MicrometerTraceSource.create())
            .build());
    private final List<SpanData> exported = new CopyOnWriteArrayList<>();
    private final Set<String> logged = ConcurrentHashMap.newKeySet();

    private final ContextSnapshotFactory threads = ContextSnapshotFactory.builder()
            .contextRegistry(new ContextRegistry()
                    .loadContextAccessors()
                    .registerThreadLocalAccessor(CaracalContextAccessor.withMdc()))
            .build();

    @AfterEach
    void close() {
        caracal.disposeLater().block(LIMIT);
        platform.disposeLater().block(LIMIT);
    }

    private OtelTracer tracer(Sampler sampler) {
        SdkTracerProvider provider = SdkTracerProvider.builder()
                .setSampler(sampler)
                .addSpanProcessor(SimpleSpanProcessor.create(new Exporter()))
                .build();
        return new OtelTracer(provider.get("test"), new OtelCurrentTraceContext(), event -> {});
    }

    /** The set-up of Spring Boot with the bridge on the class path. */
    private ObservationRegistry observations(Sampler sampler) {
        ObservationRegistry registry = ObservationRegistry.create();
        registry.observationConfig().observationHandler(new DefaultTracingObservationHandler(tracer(sampler)));
        return registry;
    }

    private final class Exporter implements SpanExporter {
        @Override
        public CompletableResultCode export(Collection<SpanData> spans) {
            exported.addAll(spans);
            return CompletableResultCode.ofSuccess();
        }

        @Override
        public CompletableResultCode flush() {
            return CompletableResultCode.ofSuccess();
        }

        @Override
        public CompletableResultCode shutdown() {
            return CompletableResultCode.ofSuccess();
        }
    }

    /** A call in a session, and the MDC of a log line of its work. */
    private Mono<HttpResponse> work() {
        Mono<Void> line = Mono.deferContextual(view -> {
            try (ContextSnapshot.Scope shown = threads.captureFrom(view).setThreadLocals()) {
                assertThat(shown).isNotNull();
                logged.add(String.valueOf(MDC.get(CaracalContextAccessor.MDC_TRACE_ID)));
                return Mono.empty();
            }
        });
        return caracal.spawn(context -> line.then(caracal.fetch(FetchRequest.builder(platform.resourceId(), "/charge")
                .json("{\"amount\": 1200}")
                .build())));
    }

    private static String traceId(ReceivedRequest request) {
        return request.header("traceparent").orElse("none at " + request).substring(3, 35);
    }

    private static boolean isSampled(ReceivedRequest request) {
        return request.header("traceparent").orElse("").endsWith("-01");
    }

    /** All requests except the exchange of the application token, which callers share. */
    private Stream<ReceivedRequest> received() {
        return Stream.of(Service.STS, Service.COORDINATOR, Service.GATEWAY, Service.UPSTREAM)
                .flatMap(service -> platform.received(service).stream())
                .filter(request ->
                        request.service() != Service.STS || request.body().contains("agent_session_id="));
    }

    @Test
    void isOneAtTheStsTheCoordinatorTheGatewayTheUpstreamAndInTheMdc() throws Exception {
        ObservationRegistry registry = observations(Sampler.alwaysOn());
        var observing = CaracalObservations.observe(caracal, registry);
        Observation request = Observation.start("http.server.requests", registry);
        MDCAdapter adapter = MDC.getMDCAdapter();
        mdc(new BasicMDCAdapter());
        try {
            StepVerifier.create(work().contextWrite(view -> view.put(ObservationThreadLocalAccessor.KEY, request)))
                    .expectNextMatches(answer -> answer.status() == 200)
                    .expectComplete()
                    .verify(LIMIT);
        } finally {
            mdc(adapter);
            observing.dispose();
        }
        request.stop();
        String trace = exported.stream()
                .filter(span -> span.getName().equals("http.server.requests"))
                .map(SpanData::getTraceId)
                .findFirst()
                .orElseThrow();
        // Requests shared by several sessions or calls, such as the token exchange, belong to no trace of one of them.
        assertThat(exported)
                .filteredOn(span -> span.getTraceId().equals(trace))
                .extracting(SpanData::getName)
                .contains(
                        "caracal session open",
                        "caracal gateway call",
                        "caracal mandate mint",
                        "caracal session close");
        assertThat(received())
                .allSatisfy(call -> assertThat(traceId(call)).as("%s", call).isEqualTo(trace))
                .extracting(ReceivedRequest::service)
                .contains(Service.STS, Service.COORDINATOR, Service.GATEWAY, Service.UPSTREAM);
        assertThat(logged).containsExactly(trace);
    }

    @Test
    void thatIsNotSampledIsJoinedToo() {
        ObservationRegistry registry = observations(Sampler.alwaysOff());
        Observation request = Observation.start("http.server.requests", registry);
        StepVerifier.create(work().contextWrite(view -> view.put(ObservationThreadLocalAccessor.KEY, request)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        request.stop();
        assertThat(exported).isEmpty();
        assertThat(received().map(TraceEndToEndTest::traceId).distinct()).hasSize(1);
        assertThat(received()).noneMatch(TraceEndToEndTest::isSampled);
    }

    @Test
    void ofASpanWithoutAnObservationIsJoined() {
        OtelTracer tracer = tracer(Sampler.alwaysOn());
        Span span = tracer.nextSpan().start();
        StepVerifier.create(work().contextWrite(view -> view.put(ObservationAwareSpanThreadLocalAccessor.KEY, span)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        span.end();
        assertThat(received())
                .allSatisfy(call ->
                        assertThat(traceId(call)).isEqualTo(span.context().traceId()));
    }

    @Test
    void withoutASpanIsANewOneForEachSession() {
        StepVerifier.create(work().then(work()))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(received().map(TraceEndToEndTest::traceId).distinct()).hasSize(2);
    }

    private static void mdc(MDCAdapter adapter) throws ReflectiveOperationException {
        var set = MDC.class.getDeclaredMethod("setMDCAdapter", MDCAdapter.class);
        set.setAccessible(true);
        set.invoke(null, adapter);
    }
}
