package run.caracal.http;

import reactor.util.context.Context;

/** The decision to accept a request. */
@FunctionalInterface
public interface InboundDecision {

    /**
     * {@return the Reactor Context for handling the request, with its caller bound in place of any other, or with
     * nobody bound if the request passes anonymously}
     */
    Context bind(Context context);
}
