package run.caracal.micrometer;

import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.Tag;
import io.micrometer.core.instrument.Tags;
import io.micrometer.core.instrument.Timer;
import io.micrometer.core.instrument.binder.MeterBinder;
import io.micrometer.observation.Observation;
import java.util.Arrays;
import java.util.Collection;
import java.util.HashSet;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import reactor.util.context.ContextView;
import run.caracal.Caracal;
import run.caracal.event.CaracalEvent;

/**
 * Meters of a client's operations at the services, from the time they are bound. They are recorded on the operations' own threads,
 * so none is lost. All tags have few values, and none contains an id.
 *
 * <pre>{@code
 * CaracalMetrics.of(caracal).bindTo(registry);
 * }</pre>
 *
 * <table>
 * <caption>The meters</caption>
 * <tr><th>Meter</th><th>Kind</th><th>Tags</th></tr>
 * <tr><td>{@code caracal.token.exchange}</td><td>timer</td>
 *     <td>{@code cache}: {@code hit}, {@code miss}, {@code refresh}; {@code outcome}; {@code code}</td></tr>
 * <tr><td>{@code caracal.mandate.mint}</td><td>timer</td>
 *     <td>{@code resource}; {@code outcome}; {@code code}</td></tr>
 * <tr><td>{@code caracal.subject.federate}</td><td>timer</td><td>{@code outcome}; {@code code}</td></tr>
 * <tr><td>{@code caracal.gateway.call}</td><td>timer, until the response headers</td>
 *     <td>{@code resource}; {@code status}: {@code 0} without an answer; {@code outcome}; {@code code}</td></tr>
 * <tr><td>{@code caracal.inbound.request}</td><td>timer of the verification</td>
 *     <td>{@code as}: {@code caller}, {@code nobody} and so on; {@code mismatch}; {@code outcome}; {@code code}</td></tr>
 * <tr><td>{@code caracal.coordinator.call}</td><td>timer, including all attempts</td>
 *     <td>{@code operation}: {@code open}, {@code terminate} and so on; {@code outcome}; {@code code}</td></tr>
 * <tr><td>{@code caracal.coordinator.attempts}</td><td>counter of requests</td><td>{@code operation}</td></tr>
 * <tr><td>{@code caracal.capacity.wait}</td><td>timer of the waits for capacity</td>
 *     <td>{@code capacity}: {@code session}, {@code mint}; {@code outcome}; {@code code}</td></tr>
 * <tr><td>{@code caracal.session.open}, {@code caracal.session.close}</td><td>timers</td>
 *     <td>{@code outcome}; {@code code}</td></tr>
 * <tr><td>{@code caracal.sessions.active}</td><td>gauge: sessions opened since the binding and not closed</td><td></td></tr>
 * <tr><td>{@code caracal.sessions.pending.terminations}</td>
 *     <td>gauge: {@link Caracal#pendingTerminations()}</td><td></td></tr>
 * <tr><td>{@code caracal.lease.renewal}</td><td>timer</td><td>{@code outcome}; {@code code}</td></tr>
 * <tr><td>{@code caracal.lease.lag}</td><td>timer: delay of renewals after their due time</td><td></td></tr>
 * <tr><td>{@code caracal.lease.lost}</td><td>counter</td>
 *     <td>{@code reason}: {@code fenced}, {@code expired} and so on</td></tr>
 * <tr><td>{@code caracal.delegation.create}, {@code .accept}, {@code .revoke}</td><td>timers</td>
 *     <td>{@code outcome}; {@code code}</td></tr>
 * <tr><td>{@code caracal.approval.wait}</td><td>timer</td><td>{@code outcome}; {@code code}</td></tr>
 * </table>
 *
 * <p>{@code outcome} is {@code success}, {@code failure} or {@code cancelled}; {@code code} is {@code none}, a known code
 * of the SDK or the platform, or {@code other}; {@code resource} is one of {@link #withResources}, or {@code other}.
 *
 * <p>Every operation is timed once: with {@link CaracalObservations} and a {@code DefaultMeterObservationHandler}, as in Spring Boot,
 * the handler times operations as {@value CaracalObservations#NAME}, and this class registers counters, gauges and {@code
 * caracal.lease.lag} only.
 *
 * <p>Immutable and thread-safe.
 */
public final class CaracalMetrics implements MeterBinder {
    private static final String PREFIX = "caracal.";

    private final Caracal caracal;
    private final Set<String> resources;
    private final Tags common;

    private CaracalMetrics(Caracal caracal, Set<String> resources, Tags common) {
        this.caracal = caracal;
        this.resources = resources;
        this.common = common;
    }

    /** {@return the meters of a client, which record nothing before {@link #bindTo}} */
    public static CaracalMetrics of(Caracal caracal) {
        return new CaracalMetrics(Objects.requireNonNull(caracal, "caracal"), Set.of(), Tags.empty());
    }

    /**
     * {@return the same meters with these resources as tag values, for instance {@code config.resourceIds()}; keep them
     * few}
     */
    public CaracalMetrics withResources(Collection<String> resources) {
        return new CaracalMetrics(caracal, Set.copyOf(new HashSet<>(resources)), common);
    }

    /** {@return the same meters with further tags, to distinguish several clients in one registry} */
    public CaracalMetrics withTags(Tag... tags) {
        return new CaracalMetrics(caracal, resources, common.and(Arrays.asList(tags)));
    }

    /** Registers the meters, as long as the client lives. Bind once per registry. */
    @Override
    public void bindTo(MeterRegistry registry) {
        AtomicInteger active = new AtomicInteger();
        Gauge.builder(PREFIX + "sessions.active", active, AtomicInteger::get)
                .description("Open agent sessions")
                .tags(common)
                .strongReference(true)
                .register(registry);
        Gauge.builder(PREFIX + "sessions.pending.terminations", caracal, Caracal::pendingTerminations)
                .description("Agent sessions being terminated in the background, which may still be open")
                .tags(common)
                .strongReference(true)
                .register(registry);
        // Never removed, because it ends with the client.
        var unused = caracal.onOperation((event, context) -> record(registry, active, event, context));
    }

    private void record(MeterRegistry registry, AtomicInteger active, CaracalEvent event, ContextView context) {
        if (event instanceof CaracalEvent.LeaseLost lost) {
            registry.counter(PREFIX + "lease.lost", common.and("reason", Operations.lower(lost.reason())))
                    .increment();
            return;
        }
        String name = Operations.name(event.getClass());
        if (name == null) {
            return;
        }
        Tags tags = common.and("outcome", Operations.outcome(event), "code", Operations.code(event));
        if (event instanceof CaracalEvent.TokenExchange token) {
            tags = tags.and("cache", Operations.lower(token.cache()));
        } else if (event instanceof CaracalEvent.MandateMinted minted) {
            tags = tags.and("resource", resource(minted.resource()));
        } else if (event instanceof CaracalEvent.GatewayCall call) {
            tags = tags.and(
                    "resource",
                    resource(call.resource()),
                    "status",
                    status(call.completion().status()));
        } else if (event instanceof CaracalEvent.InboundRequest request) {
            tags = tags.and("as", Operations.lower(request.actsAs()), "mismatch", Boolean.toString(request.mismatch()));
        } else if (event instanceof CaracalEvent.CapacityWaited waited) {
            tags = tags.and("capacity", Operations.lower(waited.capacity()));
        } else if (event instanceof CaracalEvent.CoordinatorCall call) {
            tags = tags.and("operation", call.operation());
            registry.counter(PREFIX + "coordinator.attempts", common.and("operation", call.operation()))
                    .increment(call.attempts());
        } else if (event instanceof CaracalEvent.LeaseRenewed renewed) {
            registry.timer(PREFIX + "lease.lag", common).record(renewed.lag());
        } else if (event instanceof CaracalEvent.SessionOpened opened && opened.agentSessionId() != null) {
            active.incrementAndGet();
        } else if (event instanceof CaracalEvent.SessionClosed) {
            // Sessions opened before the binding were not counted.
            active.updateAndGet(n -> Math.max(0, n - 1));
        }
        if (!isTimed(context)) {
            registry.timer(PREFIX + name, tags).record(event.completion().duration());
        }
    }

    /** Whether an observation handler times the operation of this Context. */
    private static boolean isTimed(ContextView context) {
        return context.stream()
                .anyMatch(entry -> entry.getKey() instanceof CaracalObservations
                        && entry.getValue() instanceof Observation observation
                        && observation.getContext().get(Timer.Sample.class) != null);
    }

    /** Bounds the tag values to HTTP's range. */
    private static String status(int status) {
        return status == 0 || (status >= 100 && status <= 599) ? Integer.toString(status) : Operations.OTHER;
    }

    private String resource(@Nullable String resource) {
        return resource != null && resources.contains(resource) ? resource : Operations.OTHER;
    }
}
