package run.caracal.http;

import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** Creates the {@link HttpTransport} of an artifact; found with {@link java.util.ServiceLoader}. */
public interface HttpTransportProvider {

    /**
     * {@return a new transport with default settings for renewals, terminations and the application's token, owned by the
     * calling client} No code of users runs on its threads, so that none delays a renewal or a termination.
     */
    HttpTransport create();

    /**
     * {@return a new transport for what callers wait for: openings, delegations, mandates and {@link
     * run.caracal.Caracal#fetch}, owned by the calling client} It may share threads with user traffic. Defaults to {@link
     * #create()}.
     */
    default HttpTransport createForCalls() {
        return create();
    }

    /**
     * {@return where the code of the calling thread goes on after a request on the transport of {@link #create()}, and where
     * its waits are timed} Asked before each such request. On an event loop of user traffic best that loop itself, which
     * spares a change of threads. Defaults to {@link Schedulers#parallel()}.
     */
    default Scheduler callerScheduler() {
        return Schedulers.parallel();
    }
}
