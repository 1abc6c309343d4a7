package run.caracal.http;

import reactor.core.scheduler.Scheduler;
import run.caracal.internal.ParallelTimer;

/** Creates the {@link HttpTransport} of an artifact; found with {@link java.util.ServiceLoader}. */
public interface HttpTransportProvider {

    /**
     * {@return a new transport with default settings for renewals, terminations and the application's token, owned by the
     * calling client} No code of users runs on its threads but an {@link run.caracal.event.OperationListener}, so that none delays a
     * renewal or a termination.
     */
    HttpTransport create();

    /**
     * {@return a new transport for what callers wait for, owned by the calling client} A client makes one for openings,
     * delegations and mandates, and another one when it first needs it for {@link run.caracal.Caracal#fetch} and the polls of
     * approvals, which may take long. It may share threads with user traffic. Defaults to {@link #create()}.
     */
    default HttpTransport createForCalls() {
        return create();
    }

    /**
     * {@return where the code of the calling thread goes on after a request on the transport of {@link #create()}, and where
     * its wait for the end of a session is timed} Asked once for each; must not fail. On an event loop of user traffic best
     * that loop itself, which spares a change of threads. Defaults to {@link
     * reactor.core.scheduler.Schedulers#parallel()}.
     */
    default Scheduler callerScheduler() {
        return ParallelTimer.INSTANCE;
    }
}
