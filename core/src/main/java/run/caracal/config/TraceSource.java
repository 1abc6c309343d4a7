package run.caracal.config;

import java.util.Optional;
import reactor.util.context.ContextView;

/**
 * Finds the trace of the application, so that its sessions join it. Called when a session is opened, unless its options
 * or the bound context name a trace. {@code run.caracal.micrometer.MicrometerTraceSource} is the implementation for
 * Micrometer Tracing.
 */
@FunctionalInterface
public interface TraceSource {

    /**
     * {@return the W3C {@code traceparent} of the subscriber's current span, if any} Called on the subscriber's thread;
     * must not block. An exception is logged; an invalid header is ignored.
     *
     * @param context the Reactor Context of the subscriber that opens the session
     */
    Optional<String> traceparent(ContextView context);
}
