package run.caracal.event;

import reactor.util.context.Context;
import reactor.util.context.ContextView;

/**
 * Observes operations on their own threads, at their start and end, for meters and traces that must count every
 * operation and see its Reactor Context; for anything slower use {@link run.caracal.Caracal#onEvent}.
 *
 * <p>Implementations must be thread-safe and must not block: they delay the operation, and
 * those of leases delay all leases. Their exceptions are logged and
 * ignored.
 */
@FunctionalInterface
public interface OperationListener {

    /**
     * An operation starts.
     *
     * @param kind the kind of its event
     * @param context the Reactor Context in which it was subscribed
     * @return the Context in which it runs: the given one, or one with additional entries, which {@link #ended}
     *     receives
     */
    default Context started(Class<? extends CaracalEvent> kind, Context context) {
        return context;
    }

    /**
     * An operation ended, or an event without a duration occurred, such as the loss of a lease. Called once per event.
     *
     * @param context the Context that {@link #started} returned; empty for an event without a duration, and without
     *     this listener's entries if it was added while the operation ran
     */
    void ended(CaracalEvent event, ContextView context);
}
