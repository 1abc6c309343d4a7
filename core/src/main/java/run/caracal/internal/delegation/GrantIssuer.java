package run.caracal.internal.delegation;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ResourceBinding;
import run.caracal.error.ClosedException;
import run.caracal.error.DelegationException;
import run.caracal.error.DelegationException.Reason;
import run.caracal.event.CaracalEvent;
import run.caracal.internal.config.Rules;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.context.IssuedDelegation;
import run.caracal.internal.context.Provenance;
import run.caracal.internal.context.Session;
import run.caracal.internal.control.Coordinator;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.options.GrantSpec;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.wire.CreateDelegation;
import run.caracal.internal.wire.DelegationAnswer;
import run.caracal.internal.wire.IdempotencyKeys;

/** Issues the grants of sessions, and creates delegations. */
public final class GrantIssuer {
    /** The margin between a delegation and the one it derives from, which it must not outlive. */
    private static final Duration MARGIN = Duration.ofSeconds(10);

    private final CaracalConfig config;
    private final Coordinator coordinator;
    private final EventBus events;
    private final Scheduler timer;

    public GrantIssuer(CaracalConfig config, Coordinator coordinator, EventBus events, Scheduler timer) {
        this.config = config;
        this.coordinator = coordinator;
        this.events = events;
        this.timer = timer;
    }

    /**
     * The part of its parent's authority that a session is opened with.
     *
     * @param parent the parent: the context that holds the authority, not one that shows what it passed on
     * @param resource the resource of a narrowed session; {@code null} when its constraints name resources
     */
    public record Plan(
            @Nullable BoundContext parent,
            GrantSpec grant,
            @Nullable String resource,
            List<String> labels) {

        /** As it is now: the delegation of a service is renewed. */
        @Override
        public @Nullable BoundContext parent() {
            return parent == null ? null : parent.own();
        }

        /** Whether the session inherits the whole authority of its parent. */
        public boolean inherits() {
            return grant == GrantSpec.Whole.INHERIT;
        }

        /** The delegation that an inheriting session must be opened with. */
        public @Nullable String inheritedEdge() {
            BoundContext holder = parent();
            return holder == null || !inherits() ? null : holder.envelope().delegationEdgeId();
        }

        /** How the session came by its authority, with the delegation that it was opened with. */
        public Provenance.Spawned provenance(@Nullable String edge) {
            BoundContext holder = parent();
            Long ends = edge == null || holder == null ? null : holder.edgeEnds();
            return new Provenance.Spawned(holder, labels, grant, resource, ends);
        }
    }

    /**
     * Checks a grant, before any call.
     *
     * @throws DelegationException when it needs a parent or a resource and there is none
     */
    public Plan plan(GrantSpec grant, List<String> labels, @Nullable BoundContext bound) {
        BoundContext parent = bound == null ? null : bound.own();
        String resource = null;
        if (grant instanceof GrantSpec.Narrow narrow) {
            if (parent == null) {
                throw new DelegationException(
                        Reason.NO_PARENT,
                        "Grant.narrow needs a parent session whose authority it narrows, and no session of this application is "
                                + "bound, so nothing was sent. Spawn inside the work of another session, or name one with parent(context)");
            }
            resource = resource(narrow);
        }
        Plan plan = new Plan(parent, grant, resource, labels);
        boolean narrowed = grant instanceof GrantSpec.Narrow || plan.inheritedEdge() != null;
        // On the platform a token under a delegation needs a label that is the application id or a role.
        return narrowed && labels.isEmpty() && config.applicationId().length() <= Rules.MAX_LABEL_LENGTH
                ? new Plan(parent, grant, resource, List.of(config.applicationId()))
                : plan;
    }

    /**
     * The resource of a narrowed session: the one it names, else the only one that is configured.
     *
     * @return the resource, or {@code null} when the constraints name resources
     */
    public @Nullable String resource(GrantSpec.Narrow narrow) {
        if (narrow.resource() != null || !narrow.constraints().namedResources().isEmpty()) {
            return narrow.resource();
        }
        List<String> known = config.resources().stream()
                .map(ResourceBinding::resource)
                .distinct()
                .toList();
        if (known.isEmpty()) {
            known = config.resourceIds();
        }
        if (known.size() != 1) {
            throw new DelegationException(
                    Reason.NO_RESOURCE,
                    "Grant.narrow names no resource, and " + (known.isEmpty() ? "none is" : known.size() + " are")
                            + " configured, so nothing was sent. Name one with Grant.narrow(...).resource(id)");
        }
        return known.get(0);
    }

    /**
     * Issues the grant to an open session, before its work starts. An error counts as one of the work, so that the session is
     * terminated before it is signalled.
     */
    public Mono<Void> settle(Session session, Plan plan, Duration ttl) {
        return settle(session, plan, ttl, (request, trace) -> coordinator.delegate(request, trace, () -> false));
    }

    /** As {@link #settle}, before the present delegation of a service expires. */
    public Mono<Void> renew(Session session, Plan plan, Duration ttl) {
        return settle(session, plan, ttl, coordinator::renewDelegation);
    }

    private Mono<Void> settle(Session session, Plan plan, Duration ttl, Delegate delegate) {
        BoundContext parent = plan.parent();
        if (parent != null && plan.grant() instanceof GrantSpec.Narrow narrow) {
            DelegationTerms terms = new DelegationTerms(
                    session.context().agentSessionId(),
                    config.applicationId(),
                    narrow.scopes(),
                    plan.resource(),
                    narrow.constraints(),
                    narrow.ttl() == null ? usable(ttl) : narrow.ttl(),
                    false,
                    null);
            return issue(parent, terms, delegate)
                    .doOnNext(edge -> {
                        Envelope above = parent.envelope();
                        session.hold(
                                session.context().envelope().toBuilder()
                                        .delegationEdgeId(edge.id())
                                        .parentEdgeId(above.delegationEdgeId())
                                        .hop(above.hop() + 1)
                                        .build(),
                                new Provenance.Spawned(parent, plan.labels(), narrow, plan.resource(), edge.ends()));
                    })
                    .then();
        }
        // Without its edge the child would not act with the parent's slice.
        return plan.inheritedEdge() != null && session.context().envelope().delegationEdgeId() == null
                ? Mono.error(() -> new DelegationException(
                        Reason.UNLINKED,
                        "The agent session " + session.context().agentSessionId()
                                + " was opened without the delegation that bounds its parent, so it was ended. Give it a part of "
                                + "the parent's authority with Grant.narrow, or nothing with Grant.none"))
                : Mono.empty();
    }

    /** Creates a delegation, under one idempotency key through all attempts. */
    public Mono<IssuedDelegation> issue(BoundContext issuer, DelegationTerms terms, BooleanSupplier abandoned) {
        return issue(issuer, terms, (request, trace) -> coordinator.delegate(request, trace, abandoned));
    }

    /** Creates a delegation at the Coordinator. */
    private interface Delegate {
        Mono<Coordinator.Timed<DelegationAnswer>> send(CreateDelegation request, Envelope trace);
    }

    private Mono<IssuedDelegation> issue(BoundContext issuer, DelegationTerms terms, Delegate delegate) {
        return Mono.defer(() -> {
            BoundContext source = issuer.own();
            requireTimeLeft(source);
            Duration ttl = within(issuer, terms.ttl() == null ? DelegationTerms.DEFAULT_TTL : terms.ttl());
            String key = terms.idempotencyKey();
            CreateDelegation request = CreateDelegation.builder(config.zoneId(), terms.scopes())
                    .issuer(config.applicationId(), source.agentSessionId())
                    .receiver(terms.targetApplicationId(), terms.targetSessionId())
                    .parentEdgeId(source.envelope().delegationEdgeId())
                    .resourceId(terms.resource())
                    .constraints(terms.constraints().wire())
                    .ttlSeconds(ttl.toSeconds())
                    .idempotencyKey(key == null ? IdempotencyKeys.generate() : key)
                    .build();
            Mono<IssuedDelegation> created = delegate.send(request, issuer.envelope())
                    .map(timed -> {
                        DelegationAnswer answer = timed.answer();
                        return new IssuedDelegation(
                                answer.delegationEdgeId(),
                                source.agentSessionId(),
                                terms.targetSessionId(),
                                terms.targetApplicationId(),
                                answer.scopes().isEmpty() ? terms.scopes() : answer.scopes(),
                                answer.expiresAt(),
                                timed.askedAt(timer)
                                        + terms.constraints().effectiveTtl(ttl).toNanos());
                    });
            return events.observe(
                    CaracalEvent.DelegationCreated.class,
                    created,
                    (edge, completion) -> new CaracalEvent.DelegationCreated(
                            edge == null ? null : edge.id(),
                            source.agentSessionId(),
                            terms.targetSessionId(),
                            completion));
        });
    }

    /** A short session may use its delegation until its end: the Gateway wants more to be left of that. */
    private static Duration usable(Duration ttl) {
        return ttl.compareTo(Arguments.MIN_DELEGATION_TTL) < 0 ? Arguments.MIN_DELEGATION_TTL : ttl;
    }

    /** Checked here, because the platform's answer does not say which of the two sessions is unknown. */
    private void requireTimeLeft(BoundContext source) {
        Session session = source.session();
        Long ends = session == null ? null : session.ends();
        if (ends != null && now() - ends >= 0) {
            throw new ClosedException("The agent session " + source.agentSessionId()
                    + " has ended, because its ttl was over, so nothing was sent; give it a longer one with"
                    + " SpawnOptions.ttl, or delegate earlier in its work");
        }
    }

    /** The TTL, cut below the remaining life of the issuer's delegation, since an equal one would end later. */
    private Duration within(BoundContext issuer, Duration wanted) {
        Long ends = issuer.own().edgeEnds();
        if (ends == null) {
            return wanted;
        }
        Duration left = Duration.ofNanos(ends - now());
        Duration tenth = left.dividedBy(10);
        long seconds = Math.max(
                1, left.minus(tenth.compareTo(MARGIN) < 0 ? tenth : MARGIN).toSeconds());
        return seconds < wanted.toSeconds() ? Duration.ofSeconds(seconds) : wanted;
    }

    private long now() {
        return timer.now(TimeUnit.NANOSECONDS);
    }
}
