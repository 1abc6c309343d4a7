package run.caracal.http;

import reactor.util.context.Context;

/** The decision to let a request in. */
@FunctionalInterface
public interface InboundDecision {

    /**
     * Binds who the request acts for, in place of whoever is bound; a request that acts for nobody leaves nobody bound.
     *
     * @param context the Reactor Context in which the request would be handled
     * @return the Reactor Context in which it is to be handled
     */
    Context bind(Context context);
}
