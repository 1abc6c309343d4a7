package run.caracal.internal.propagation;

import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.util.context.ContextView;
import run.caracal.config.TraceSource;
import run.caracal.internal.LogGate;
import run.caracal.internal.LogNames;

/** The traces that sessions join. */
public final class Traces {
    private static final Logger log = LoggerFactory.getLogger(LogNames.CLIENT);

    private final @Nullable TraceSource source;
    private final LogGate failures = new LogGate();

    /**
     * Creates them.
     *
     * @param source where an application's own traces are found, or {@code null}
     */
    public Traces(@Nullable TraceSource source) {
        this.source = source;
    }

    /**
     * The trace of a new session: the one that is asked for, else the one around it, else the subscriber's own, else a new one.
     *
     * @param asked the trace id that the options name, or {@code null}
     * @param around what is bound, with its baggage
     * @param view the Reactor Context of the subscriber
     * @return what is around, in this trace
     */
    public Envelope join(@Nullable String asked, Envelope around, ContextView view) {
        if (asked != null) {
            // A trace of the caller's own goes without the state of the parent's.
            return around.toBuilder()
                    .traceId(asked)
                    .traceFlags(null)
                    .traceState(null)
                    .build();
        }
        if (around.traceId() != null) {
            return around;
        }
        TraceParent span = span(view);
        Envelope.Builder joined = around.toBuilder();
        return span == null
                ? joined.traceId(TraceParent.newTraceId()).build()
                : joined.traceId(span.traceId()).traceFlags(span.flags()).build();
    }

    private @Nullable TraceParent span(ContextView view) {
        if (source == null) {
            return null;
        }
        try {
            String header = source.traceparent(view).orElse(null);
            return header == null ? null : TraceParent.parse(header);
        } catch (RuntimeException | LinkageError e) {
            failures.warn(log, "The trace source failed, so a session starts its own trace: {}", e.toString());
            return null;
        }
    }
}
