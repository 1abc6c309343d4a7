package run.caracal.config;

import java.util.Optional;
import reactor.util.context.ContextView;

/**
 * Finds the trace that an application is in, so that its sessions join it. A session asks for it when it is opened, unless its
 * options or the bound context name a trace. {@code run.caracal.micrometer.MicrometerTraceSource} is that of Micrometer
 * Tracing.
 */
@FunctionalInterface
public interface TraceSource {

    /**
     * The span that the subscriber is in. Called on the subscriber's thread; must not block. What it throws is logged, and
     * counts as no span, as does a header that is not valid.
     *
     * @param context the Reactor Context of whoever opens the session
     * @return the W3C {@code traceparent} of the span; empty for none
     */
    Optional<String> traceparent(ContextView context);
}
