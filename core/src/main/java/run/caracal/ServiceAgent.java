package run.caracal;

import java.time.Duration;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.session.Service;
import run.caracal.internal.wire.LeaseTerms;

/**
 * A service session and its lease, for a daemon or worker that outlives a single request. The session lives as long as
 * its lease is renewed. The subscriber of {@link Caracal#spawnService} owns the agent and has to close it.
 */
public final class ServiceAgent implements Disposable {
    private static final Logger log = LoggerFactory.getLogger(ServiceAgent.class);

    /** The states of a service agent. */
    public enum State {
        /** The lease is held. */
        ACTIVE,
        /** The lease is lost, for the reason that {@link ServiceAgent#lost()} signals. */
        LOST,
        /** The agent was closed. */
        CLOSED
    }

    private final Caracal caracal;
    private final Service service;
    private final Mono<Void> end;

    ServiceAgent(Caracal caracal, Service service, Mono<Void> end) {
        this.caracal = caracal;
        this.service = service;
        this.end = end;
    }

    /** {@return the id of the service session} */
    public String agentSessionId() {
        return service.session().context().agentSessionId();
    }

    /** {@return the context of the service} */
    public CaracalContext context() {
        return new CaracalContext(service.session().context());
    }

    /** {@return the headers of the service's context; see {@link Caracal#headers()}} */
    public Mono<Map<String, String>> headers() {
        return bind(caracal.headers());
    }

    /** {@return the same work, with the service's current context bound at each subscription} */
    public <T> Mono<T> bind(Mono<T> work) {
        return work.contextWrite(service.session()::bind);
    }

    /** {@return the same work, with the service's current context bound at each subscription} */
    public <T> Flux<T> bind(Flux<T> work) {
        return work.contextWrite(service.session()::bind);
    }

    /**
     * Renews the lease once, or joins a renewal in flight.
     *
     * @return the renewed lease; {@link run.caracal.error.LeaseLostException} if the lease is lost;
     *     {@link run.caracal.error.ClosedException} after the close; any other error leaves the lease valid until its
     *     deadline, and the call may be retried
     */
    public Mono<Lease> heartbeat() {
        return service.lease().beat().map(this::lease);
    }

    /**
     * Renews the lease while it is subscribed, each time at a third of the remaining lease (1 s to 5 min, with jitter;
     * every 30 s if the deadline is unknown). All subscribers share one loop. A failed renewal is logged and retried at
     * the next tick.
     *
     * @return the renewals; hot, on another thread than the renewals; a slow subscriber gets the latest. Fails with
     *     {@link run.caracal.error.LeaseLostException} when the lease is lost, completes when the agent is closed
     */
    public Flux<Lease> heartbeats() {
        return service.lease().renewals(null).map(this::lease);
    }

    /**
     * Renews the lease while it is subscribed, at a fixed interval that starts with a random delay; a slow renewal
     * skips ticks. If a loop is already running, its interval is kept. See {@link #heartbeats()}.
     *
     * @param interval positive; adjusted, with a warning, to at least a second and at most a third of the lease
     */
    public Flux<Lease> heartbeats(Duration interval) {
        return service.lease()
                .renewals(Arguments.interval(interval, "interval"))
                .map(this::lease);
    }

    private Lease lease(LeaseTerms terms) {
        return Lease.of(agentSessionId(), terms);
    }

    /**
     * {@return a signal of the loss of the lease, detected by a renewal, or offline when the deadline passes} Fails
     * once with {@link run.caracal.error.LeaseLostException}, for late subscribers too; completes when the agent is
     * closed.
     */
    public Mono<Void> lost() {
        return service.lease().end();
    }

    /** {@return the current state} */
    public State state() {
        if (service.lease().isKept()) {
            return State.ACTIVE;
        }
        return service.lease().loss() == null ? State.CLOSED : State.LOST;
    }

    /**
     * Closes the agent: stops the renewals and terminates the session. Lazy and idempotent: the first subscription
     * closes the agent, all subscribers share its completion, and cancelling does not stop it.
     *
     * @return completes when the session is terminated, or is no longer held by this agent; else the error of the
     *     termination
     */
    public Mono<Void> disposeLater() {
        return end;
    }

    /** Closes the agent like {@link #disposeLater()}, without waiting; a failure is logged. */
    @Override
    public void dispose() {
        // The end is shared and cannot be cancelled, so nobody needs this subscription.
        Disposable closing = end.subscribe(
                null,
                e -> log.warn("The service session {} could not be closed: {}", agentSessionId(), e.getMessage()));
        if (!closing.isDisposed()) {
            log.debug("The service session {} is closing", agentSessionId());
        }
    }

    @Override
    public boolean isDisposed() {
        return state() == State.CLOSED;
    }

    @Override
    public String toString() {
        return "ServiceAgent[" + context() + ", state=" + state() + "]";
    }
}
