package run.caracal.micrometer;

import io.micrometer.observation.Observation;
import io.micrometer.tracing.Span;
import io.micrometer.tracing.TraceContext;
import io.micrometer.tracing.handler.TracingObservationHandler.TracingContext;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import reactor.util.context.ContextView;
import run.caracal.config.TraceSource;

/**
 * Lets sessions join the traces of Micrometer Tracing ({@code io.micrometer:micrometer-tracing}, optional), for every
 * tracer. The span is that of the observation in the Reactor Context under Micrometer's key,
 * {@code micrometer.observation}, else the span under {@code micrometer.tracing}. Thread-local state is not read.
 *
 * <pre>{@code
 * CaracalConfig config = CaracalConfig.load().mutate().traceSource(MicrometerTraceSource.create()).build();
 * }</pre>
 */
public final class MicrometerTraceSource implements TraceSource {
    // Micrometer's own constants are on classes that need context-propagation.
    private static final String OBSERVATION = "micrometer.observation";
    private static final String SPAN = "micrometer.tracing";

    private static final int TRACE_ID_LENGTH = 32;

    private static final MicrometerTraceSource INSTANCE = new MicrometerTraceSource();

    private MicrometerTraceSource() {}

    /** {@return the source} */
    public static MicrometerTraceSource create() {
        return INSTANCE;
    }

    @Override
    public Optional<String> traceparent(ContextView context) {
        return Optional.ofNullable(span(context)).map(span -> write(span.context()));
    }

    private static @Nullable Span span(ContextView context) {
        if (context.getOrDefault(OBSERVATION, null) instanceof Observation observation) {
            TracingContext tracing = observation.getContextView().get(TracingContext.class);
            Span span = tracing == null ? null : tracing.getSpan();
            if (span != null) {
                return span;
            }
        }
        return context.getOrDefault(SPAN, null) instanceof Span span ? span : null;
    }

    private static String write(TraceContext span) {
        // Some tracers have 64-bit ids, which W3C trace context pads with zeros.
        String traceId = "0".repeat(Math.max(0, TRACE_ID_LENGTH - span.traceId().length())) + span.traceId();
        return "00-" + traceId + "-" + span.spanId() + "-" + (Boolean.FALSE.equals(span.sampled()) ? "00" : "01");
    }

    @Override
    public String toString() {
        return "MicrometerTraceSource";
    }
}
