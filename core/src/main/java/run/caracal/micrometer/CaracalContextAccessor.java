package run.caracal.micrometer;

import io.micrometer.context.ThreadLocalAccessor;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.slf4j.MDC;
import reactor.util.context.Context;
import run.caracal.CaracalContext;
import run.caracal.internal.context.BoundContext;

/**
 * Carries the bound {@link CaracalContext} between the Reactor Context and a thread local, so that imperative code sees
 * which agent session it works for. The truth stays in the Reactor Context: the thread local is a view of it
 * for as long as a scope of Micrometer's context propagation is open. It holds ids, never a token or a secret.
 *
 * <p>The application registers it, once, at its start; the SDK never does:
 *
 * <pre>{@code
 * ContextRegistry.getInstance().registerThreadLocalAccessor(new CaracalContextAccessor());
 * Hooks.enableAutomaticContextPropagation();
 * }</pre>
 *
 * <p>With that hook of Reactor every operator restores the view; without it {@code handle} and {@code tap} do, and {@code
 * ContextSnapshotFactory} by hand. In the other direction {@code contextCapture()} binds what a thread sees in a pipeline,
 * for instance before {@code block()}. Callbacks of Reactor Netty are not covered by either: they see {@code
 * currentContextView()}.
 *
 * <p>Stateless; safe for use by many threads, virtual ones too.
 */
public final class CaracalContextAccessor implements ThreadLocalAccessor<Object> {
    /** The key in the Reactor Context, the SDK's own. Its value is the SDK's own too: read it with {@link #current()}. */
    public static final Object KEY = BoundContext.class;

    /** The key of the agent session's id in the MDC. */
    public static final String MDC_SESSION_ID = "caracal.session_id";

    /** The key of the trace id in the MDC. */
    public static final String MDC_TRACE_ID = "caracal.trace_id";

    // The one thread local of the library: showing the context to code that knows nothing else is what this class is
    // for.
    private static final ThreadLocal<@Nullable Shown> SHOWN = new ThreadLocal<>();

    private final boolean mdc;

    /** Creates an accessor that leaves the MDC alone. */
    public CaracalContextAccessor() {
        this(false);
    }

    private CaracalContextAccessor(boolean mdc) {
        this.mdc = mdc;
    }

    /**
     * Creates an accessor that also puts the ids into the MDC of SLF4J, under {@link #MDC_SESSION_ID} and {@link
     * #MDC_TRACE_ID}, for as long as the context is shown; afterwards the MDC holds under these keys what it held before.
     * The first is absent while the context of a request without a session is shown.
     *
     * @return the accessor, to be registered instead of the plain one
     */
    public static CaracalContextAccessor withMdc() {
        return new CaracalContextAccessor(true);
    }

    /** {@return the context that this thread is shown; empty outside a session, and where no accessor is registered} */
    public static Optional<CaracalContext> current() {
        Shown shown = SHOWN.get();
        return shown == null
                ? Optional.empty()
                : Optional.of(shown.context).flatMap(bound -> CaracalContext.from(Context.of(KEY, bound)));
    }

    @Override
    public Object key() {
        return KEY;
    }

    /** The value under {@link #KEY}, which only {@link #setValue(Object)} and the SDK understand. */
    @Override
    public @Nullable Object getValue() {
        Shown shown = SHOWN.get();
        return shown == null ? null : shown.context;
    }

    /**
     * Shows a context to this thread.
     *
     * @param value what stood under {@link #KEY}
     */
    @Override
    public void setValue(Object value) {
        BoundContext context = (BoundContext) Objects.requireNonNull(value, "value");
        Shown before = SHOWN.get();
        Outside outside = before == null ? null : before.outside;
        if (mdc) {
            // The value from before the first context is restored after the last one, however many are nested.
            outside = outside == null ? Outside.read() : outside;
            // A request need not name a session; the id of another one must not stand there meanwhile.
            Outside.put(MDC_SESSION_ID, context.envelope().agentSessionId());
            Outside.put(MDC_TRACE_ID, context.envelope().traceId());
        }
        SHOWN.set(new Shown(context, outside));
    }

    /** Shows no context any more. */
    @Override
    public void setValue() {
        Shown before = SHOWN.get();
        SHOWN.remove();
        if (before != null && before.outside != null) {
            before.outside.putBack();
        }
    }

    /** Names no context: that of which thread would it be. */
    @Override
    public String toString() {
        return "CaracalContextAccessor[mdc=" + mdc + "]";
    }

    private record Shown(BoundContext context, @Nullable Outside outside) {}

    /** The former values of the MDC. */
    private record Outside(
            @Nullable String sessionId, @Nullable String traceId) {
        static Outside read() {
            return new Outside(MDC.get(MDC_SESSION_ID), MDC.get(MDC_TRACE_ID));
        }

        void putBack() {
            put(MDC_SESSION_ID, sessionId);
            put(MDC_TRACE_ID, traceId);
        }

        private static void put(String key, @Nullable String value) {
            if (value == null) {
                MDC.remove(key);
            } else {
                MDC.put(key, value);
            }
        }
    }
}
