package run.caracal.micrometer;

import io.micrometer.common.KeyValues;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationRegistry;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.Caracal;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion.Outcome;
import run.caracal.event.OperationListener;

/**
 * Creates an {@link Observation} for each operation at the services and each request to the Gateway. Its parent is the
 * observation in the Reactor Context under Micrometer's key, {@code micrometer.observation}; calls of an operation are
 * its children. An exchange of the application token is shared by its waiters, so it has the parent of its thread,
 * usually none.
 *
 * <p>All observations are named {@code caracal.operation}. Their low-cardinality keys are {@code operation} (for
 * instance {@code session.open}), {@code outcome}, {@code code} and {@code detail} (the operation at the Coordinator or
 * the cache outcome, else {@code none}), with the values of {@link CaracalMetrics}. High-cardinality keys, where known:
 * {@code session.id}, {@code delegation.id}, {@code approval.id}, {@code resource}, {@code request.id} and
 * {@code http.status}. Cached tokens and lost leases are not observed. No scope is opened, so nothing is bound to a
 * thread. A meter observation handler replaces the timers of {@link CaracalMetrics}, so that no operation is timed
 * twice.
 *
 * <pre>{@code
 * CaracalObservations.observe(caracal, registry);
 * }</pre>
 */
public final class CaracalObservations implements OperationListener {
    /** The name of all observations. */
    public static final String NAME = "caracal.operation";

    // Micrometer's own constant is on a class that needs context-propagation.
    private static final String PARENT = "micrometer.observation";

    private final ObservationRegistry registry;

    private CaracalObservations(ObservationRegistry registry) {
        this.registry = registry;
    }

    /**
     * Observes a client as long as it lives.
     *
     * @return stops observing when disposed
     */
    public static Disposable observe(Caracal caracal, ObservationRegistry registry) {
        return caracal.onOperation(new CaracalObservations(Objects.requireNonNull(registry, "registry")));
    }

    @Override
    public Context started(Class<? extends CaracalEvent> kind, Context context) {
        String name = Operations.name(kind);
        if (name == null) {
            return context;
        }
        Observation observation = Observation.createNotStarted(NAME, registry)
                .contextualName("caracal " + name.replace('.', ' '))
                .lowCardinalityKeyValue("operation", name);
        if (context.getOrDefault(PARENT, null) instanceof Observation parent) {
            observation = observation.parentObservation(parent);
        }
        observation = observation.start();
        return context.put(PARENT, observation).put(this, observation);
    }

    @Override
    public void ended(CaracalEvent event, ContextView context) {
        if (context.getOrDefault(this, null) instanceof Observation observation) {
            if (event.completion().outcome() == Outcome.FAILURE) {
                observation.error(new Failure(String.valueOf(event.completion().code())));
            }
            observation
                    .lowCardinalityKeyValues(KeyValues.of(
                            "outcome",
                            Operations.outcome(event),
                            "code",
                            Operations.code(event),
                            "detail",
                            detail(event)))
                    .highCardinalityKeyValues(known(
                            "session.id", session(event),
                            "delegation.id", delegation(event),
                            "approval.id",
                                    event instanceof CaracalEvent.ApprovalAwaited waited ? waited.approvalId() : null,
                            "resource", resource(event),
                            "request.id", event.completion().requestId(),
                            "http.status", status(event)))
                    .stop();
        }
    }

    /** The error of an observation, with the code only; the original error belongs to the caller. */
    private static final class Failure extends Exception {
        private static final long serialVersionUID = 1L;

        Failure(String code) {
            super(code, null, false, false);
        }
    }

    private static String detail(CaracalEvent event) {
        if (event instanceof CaracalEvent.CoordinatorCall call) {
            return call.operation();
        }
        if (event instanceof CaracalEvent.CapacityWaited waited) {
            return Operations.lower(waited.capacity());
        }
        return event instanceof CaracalEvent.TokenExchange token ? Operations.lower(token.cache()) : Operations.NONE;
    }

    private static @Nullable String session(CaracalEvent event) {
        if (event instanceof CaracalEvent.SessionOpened opened) {
            return opened.agentSessionId();
        }
        if (event instanceof CaracalEvent.SessionClosed closed) {
            return closed.agentSessionId();
        }
        if (event instanceof CaracalEvent.LeaseRenewed renewed) {
            return renewed.agentSessionId();
        }
        if (event instanceof CaracalEvent.DelegationCreated created) {
            return created.sourceSessionId();
        }
        return event instanceof CaracalEvent.DelegationAccepted accepted ? accepted.agentSessionId() : null;
    }

    private static @Nullable String delegation(CaracalEvent event) {
        if (event instanceof CaracalEvent.DelegationCreated created) {
            return created.delegationEdgeId();
        }
        if (event instanceof CaracalEvent.DelegationAccepted accepted) {
            return accepted.delegationEdgeId();
        }
        return event instanceof CaracalEvent.DelegationRevoked revoked ? revoked.delegationEdgeId() : null;
    }

    private static @Nullable String resource(CaracalEvent event) {
        if (event instanceof CaracalEvent.MandateMinted minted) {
            return minted.resource();
        }
        return event instanceof CaracalEvent.GatewayCall call ? call.resource() : null;
    }

    private static @Nullable String status(CaracalEvent event) {
        int status = event.completion().status();
        return status == 0 ? null : Integer.toString(status);
    }

    private static KeyValues known(@Nullable String... keysAndValues) {
        KeyValues known = KeyValues.empty();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            String value = keysAndValues[i + 1];
            if (value != null) {
                known = known.and(Objects.requireNonNull(keysAndValues[i]), value);
            }
        }
        return known;
    }
}
