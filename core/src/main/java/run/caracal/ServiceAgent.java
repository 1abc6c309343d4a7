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
 * A service session and its lease: a daemon or worker that outlives a single request. It lives as long as its lease is
 * renewed, and has to be closed. The caller of {@link Caracal#spawnService} owns it.
 */
public final class ServiceAgent implements Disposable {
    private static final Logger log = LoggerFactory.getLogger(ServiceAgent.class);

    /** The states of a service agent. */
    public enum State {
        /** The lease is kept. */
        ACTIVE,
        /** The lease is lost; {@link ServiceAgent#lost()} says why. */
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

    /** The headers that carry the service's context; see {@link Caracal#headers()}. */
    public Mono<Map<String, String>> headers() {
        return bind(caracal.headers());
    }

    /**
     * Binds the service's context to work.
     *
     * @return the same work, with the present context bound at each subscription
     */
    public <T> Mono<T> bind(Mono<T> work) {
        return work.contextWrite(service.session()::bind);
    }

    /**
     * Binds the service's context to work with many results.
     *
     * @return the same work, with the present context bound at each subscription
     */
    public <T> Flux<T> bind(Flux<T> work) {
        return work.contextWrite(service.session()::bind);
    }

    /**
     * Renews the lease once, or joins a renewal that is under way.
     *
     * @return the renewed lease; {@link run.caracal.error.LeaseLostException} when it is lost, {@link
     *     run.caracal.error.ClosedException} after the close, else what the renewal met: the lease then stands until its
     *     deadline, and the call may be repeated
     */
    public Mono<Lease> heartbeat() {
        return service.lease().beat().map(this::lease);
    }

    /**
     * Renews the lease while it is subscribed, at a third of what remains of it (1 s to 5 min, with jitter; every 30 s when
     * the deadline is unknown). All subscribers share one loop. A renewal that fails is logged and tried again at the next
     * tick.
     *
     * @return the renewals; hot, a slow subscriber gets the latest, on another thread than the renewals; errors with
     *     {@link run.caracal.error.LeaseLostException} when the lease is lost, completes when the agent is closed
     */
    public Flux<Lease> heartbeats() {
        return service.lease().renewals(null).map(this::lease);
    }

    /**
     * Renews the lease while it is subscribed, at a fixed interval, the first time somewhere within it; a slow renewal skips
     * ticks. See {@link #heartbeats()}; when a loop runs already, its interval stays.
     *
     * @param interval a positive time; less than a second, or more than a third of the lease, becomes that, with a warning
     * @return the renewals
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
     * {@return the loss of the lease, found by a renewal or, when the deadline passes without one, by this machine
     * alone; errors once with {@link run.caracal.error.LeaseLostException} when the lease is lost, also for those who
     * subscribe later; completes when the agent is closed}
     */
    public Mono<Void> lost() {
        return service.lease().end();
    }

    /** {@return what has become of the agent} */
    public State state() {
        if (service.lease().isKept()) {
            return State.ACTIVE;
        }
        return service.lease().loss() == null ? State.CLOSED : State.LOST;
    }

    /**
     * Closes the agent: stops the renewals and terminates the session. Lazy and idempotent: the first subscription closes,
     * all share one end, and cancelling does not stop it.
     *
     * @return completes when the session is terminated, or was not this agent's any more; else what the termination met
     */
    public Mono<Void> disposeLater() {
        return end;
    }

    /** Closes the agent as {@link #disposeLater()} does, without waiting; a failure is logged. */
    @Override
    public void dispose() {
        // The end is shared and cannot be cancelled: nobody has to hold this subscription.
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
