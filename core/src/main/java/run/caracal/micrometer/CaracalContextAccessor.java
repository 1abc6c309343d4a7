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
 * Exposes the {@link CaracalContext} bound in the Reactor Context to imperative code, in a thread local that is set
 * while a scope of Micrometer's context propagation is open. It contains ids, never a token or a secret.
 *
 * <p>The application registers the accessor once at start-up; the SDK never does:
 *
 * <pre>{@code
 * ContextRegistry.getInstance().registerThreadLocalAccessor(new CaracalContextAccessor());
 * Hooks.enableAutomaticContextPropagation();
 * }</pre>
 *
 * <p>With that hook every operator restores the thread local; without it only {@code handle} and {@code tap} do, and
 * {@code ContextSnapshotFactory} by hand. In the other direction {@code contextCapture()} binds the thread's context in
 * a pipeline, for instance before {@code block()}. Callbacks of Reactor Netty are not covered: use
 * {@code currentContextView()}.
 *
 * <p>Stateless and thread-safe, on virtual threads too.
 */
public final class CaracalContextAccessor implements ThreadLocalAccessor<Object> {
    /** The SDK's own key in the Reactor Context. Read its value, which is internal, with {@link #current()}. */
    public static final Object KEY = BoundContext.class;

    /** The MDC key of the agent session's id. */
    public static final String MDC_SESSION_ID = "caracal.session_id";

    /** The MDC key of the trace id. */
    public static final String MDC_TRACE_ID = "caracal.trace_id";

    // The one thread local of the library: showing the context to code that knows nothing else is what this class is
    // for.
    private static final ThreadLocal<@Nullable Shown> SHOWN = new ThreadLocal<>();

    private final boolean mdc;

    /** Creates an accessor that does not change the MDC. */
    public CaracalContextAccessor() {
        this(false);
    }

    private CaracalContextAccessor(boolean mdc) {
        this.mdc = mdc;
    }

    /**
     * {@return an accessor that also puts the ids into the MDC of SLF4J} The keys are {@link #MDC_SESSION_ID}, which is
     * absent for a request without a session, and {@link #MDC_TRACE_ID}; their previous values are restored afterwards.
     */
    public static CaracalContextAccessor withMdc() {
        return new CaracalContextAccessor(true);
    }

    /** {@return the context exposed to this thread; empty outside a session, and without a registered accessor} */
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

    /** {@return the internal value of {@link #KEY}, for {@link #setValue(Object)}} */
    @Override
    public @Nullable Object getValue() {
        Shown shown = SHOWN.get();
        return shown == null ? null : shown.context;
    }

    /** Exposes a context to this thread. */
    @Override
    public void setValue(Object value) {
        BoundContext context = (BoundContext) Objects.requireNonNull(value, "value");
        Shown before = SHOWN.get();
        Outside outside = before == null ? null : before.outside;
        if (mdc) {
            // The value from before the first context is restored after the last one, however many are nested.
            outside = outside == null ? Outside.read() : outside;
            // Removes the id of an outer session for a request that names none.
            Outside.put(MDC_SESSION_ID, context.envelope().agentSessionId());
            Outside.put(MDC_TRACE_ID, context.envelope().traceId());
        }
        SHOWN.set(new Shown(context, outside));
    }

    /** Exposes no context. */
    @Override
    public void setValue() {
        Shown before = SHOWN.get();
        SHOWN.remove();
        if (before != null && before.outside != null) {
            before.outside.putBack();
        }
    }

    /** Contains no context, because that depends on the thread. */
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
