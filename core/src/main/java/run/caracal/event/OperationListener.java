package run.caracal.event;

import reactor.util.context.Context;
import reactor.util.context.ContextView;

/**
 * Observes operations where and when they happen: on their own threads, at their start and at their end. For meters and
 * traces, which have to count every operation and to know under what it runs; for anything slower {@link
 * run.caracal.Caracal#onEvent} is the way.
 *
 * <p>Implementations are called by many threads at once, must not block, and delay the operation by what they take. What
 * they throw is logged and changes nothing.
 */
@FunctionalInterface
public interface OperationListener {

    /**
     * An operation starts.
     *
     * @param kind the kind of the event that its end makes
     * @param context the Reactor Context in which it was subscribed
     * @return the Context in which it runs: the given one, or one with more in it, to be found again at the end
     */
    default Context started(Class<? extends CaracalEvent> kind, Context context) {
        return context;
    }

    /**
     * An operation ended, or something happened that has no duration, such as the loss of a lease. Once for each event.
     *
     * @param event what happened
     * @param context the Context that {@link #started} returned; empty for what has no duration, and without what this
     *     listener would have added when it was added in between
     */
    void ended(CaracalEvent event, ContextView context);
}
