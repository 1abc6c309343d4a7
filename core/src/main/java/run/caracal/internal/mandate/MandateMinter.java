package run.caracal.internal.mandate;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ConfigurationException;
import run.caracal.error.DelegationException;
import run.caracal.error.DelegationException.Reason;
import run.caracal.error.NoContextException;
import run.caracal.internal.Calls;
import run.caracal.internal.capacity.MintPace;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.context.HelperSession.Held;
import run.caracal.internal.context.Provenance;
import run.caracal.internal.context.Session;
import run.caracal.internal.control.StsClient;
import run.caracal.internal.control.StsClient.Mint;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.options.GrantSpec;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.TraceParent;

/** Mints one-shot mandates for sessions; mandates are never cached. */
public final class MandateMinter {
    /** The maximum number of resources in a message. */
    private static final int MAX_LISTED = 20;

    private final CaracalConfig config;
    private final StsClient sts;
    private final HelperSessions helpers;
    private final ApplicationSessions ofApplication;
    private final MintPace pace;
    private final Scope client;
    private final ClientState state;
    private final Scheduler timer;

    public MandateMinter(
            CaracalConfig config,
            StsClient sts,
            HelperSessions helpers,
            ApplicationSessions ofApplication,
            MintPace pace,
            Scope client,
            ClientState state,
            Scheduler timer) {
        this.config = config;
        this.sts = sts;
        this.helpers = helpers;
        this.ofApplication = ofApplication;
        this.pace = pace;
        this.client = client;
        this.state = state;
        this.timer = timer;
    }

    /**
     * Mints a mandate for the bound session.
     *
     * @param scopes the scopes; none for those of its grant, else those of the configuration
     */
    public Mono<MintedMandate> mintForBound(String resource, List<String> scopes, MandateSpec spec) {
        return Calls.sealed(Mono.deferContextual(view -> {
            state.requireOpen();
            BoundContext context = BoundContext.requireActing(BoundContext.find(view), client);
            BoundContext.requireNoCaller(context, "mandates are minted for sessions of this application");
            if (context == null || !context.hasAgentSession()) {
                throw new NoContextException(
                        "No agent session is bound in the Reactor Context, so no mandate was minted. Bind one with "
                                + "spawn(...) or bind(context, publisher)");
            }
            List<String> wanted = scopes.isEmpty() ? scopes(context, resource) : scopes;
            if (wanted.isEmpty()) {
                throw noScopes(resource);
            }
            return mint(context, resource, wanted, spec, TraceParent.newTraceId());
        }));
    }

    /**
     * The scopes of calls to a resource, as far as they are known: those of the grant that names it, else those of the
     * configuration.
     */
    public List<String> scopes(@Nullable BoundContext bound, String resource) {
        Provenance.Spawned narrowed = bound == null ? null : narrowed(bound.own());
        return narrowed != null
                        && narrowed.grant() instanceof GrantSpec.Narrow grant
                        && (resource.equals(narrowed.resource())
                                || grant.constraints().namedResources().contains(resource))
                ? grant.scopes()
                : config.scopesOf(resource);
    }

    /** Whether calls to some resource have scopes. */
    public boolean knowsScopes(@Nullable BoundContext bound) {
        return (bound != null && narrowed(bound.own()) != null)
                || config.resourceIds().stream()
                        .anyMatch(resource -> !config.scopesOf(resource).isEmpty());
    }

    /** The grant of the session, or of the one whose authority it inherits. */
    private static Provenance.@Nullable Spawned narrowed(BoundContext own) {
        BoundContext context = own;
        while (context != null && context.provenance() instanceof Provenance.Spawned spawned) {
            if (spawned.grant() instanceof GrantSpec.Narrow) {
                return spawned;
            }
            context = spawned.grant() == GrantSpec.Whole.INHERIT && spawned.above() != null
                    ? spawned.above().own()
                    : null;
        }
        return null;
    }

    /**
     * Rejects a request that cannot lead to a mandate, before any call.
     *
     * @throws run.caracal.error.ConfigurationException without credentials to mint with
     * @throws DelegationException when the session was given nothing
     */
    public void requireMintable(BoundContext bound) {
        requireCredentials();
        BoundContext own = current(bound.own());
        if (own.envelope().delegationEdgeId() == null && (own.session() == null || holdsNothing(own))) {
            throw new DelegationException(
                    Reason.NOTHING_GRANTED,
                    "The agent session " + own.agentSessionId()
                            + " was given no authority, and obtains none, so nothing was sent. Give it a part of its parent's "
                            + "with Grant.narrow, or make the call in a session that was not opened with Grant.none");
        }
    }

    /**
     * Checks that there is something to mint with.
     *
     * @throws run.caracal.error.ConfigurationException without a client secret
     */
    public void requireCredentials() {
        if (config.clientSecret().isEmpty()) {
            throw StsClient.noCredentials();
        }
    }

    /** The error of a call to a resource without known scopes. */
    public ConfigurationException noScopes(String resource) {
        String unknown = config.resourceIds().contains(resource)
                ? ""
                : ". The resource is not configured: " + configuredResources();
        return new ConfigurationException(List.of(new ConfigurationException.Problem(
                "scopes",
                "not set for " + resource,
                "a mandate is minted for scopes and none are known; name them, or configure them with "
                        + "CARACAL_RESOURCE_SCOPES or scopes of the credential in the profile" + unknown)));
    }

    /** The resources that are configured, as a sentence for messages about one that is not. */
    public String configuredResources() {
        List<String> ids = config.resourceIds();
        if (ids.isEmpty()) {
            return "No resource is configured.";
        }
        String listed = ids.stream().limit(MAX_LISTED).collect(Collectors.joining(", "));
        return "Configured are: " + listed
                + (ids.size() > MAX_LISTED ? " and " + (ids.size() - MAX_LISTED) + " more." : ".");
    }

    private static boolean holdsNothing(BoundContext own) {
        BoundContext context = own;
        while (context != null && context.provenance() instanceof Provenance.Spawned spawned) {
            if (spawned.grant() == GrantSpec.Whole.NONE) {
                return true;
            }
            context = spawned.above() == null ? null : spawned.above().own();
        }
        return false;
    }

    /** The current delegation of the session: a service renews its own. */
    private static BoundContext current(BoundContext own) {
        Session session = own.session();
        return session != null && own.provenance() instanceof Provenance.Spawned ? session.context() : own;
    }

    /** Mints a mandate for a session: one attempt. */
    public Mono<MintedMandate> mint(
            BoundContext bound, String resource, List<String> scopes, MandateSpec spec, String requestId) {
        return Mono.defer(() -> {
            requireMintable(bound);
            BoundContext own = current(bound.own());
            Session session = own.session();
            if (own.envelope().delegationEdgeId() != null || session == null) {
                return mint(own.envelope(), bound.envelope(), resource, scopes, spec, requestId);
            }
            return mint(
                    helpers.obtain(session, resource, scopes, spec.labels(), null),
                    bound.envelope(),
                    resource,
                    scopes,
                    spec,
                    requestId);
        });
    }

    /** Mints a mandate for the application itself, whatever session is bound: one attempt. */
    public Mono<MintedMandate> mintAsApplication(ApplicationSessions.Need need, MandateSpec spec, String requestId) {
        return Mono.defer(() -> {
            requireCredentials();
            return mint(ofApplication.obtain(need), null, need.resource(), need.scopes(), spec, requestId);
        });
    }

    /** Exchanges a user's identity token: one attempt. */
    public Mono<FederatedUser> federate(String idToken, @Nullable Duration ttl) {
        return Calls.sealed(Mono.defer(() -> {
            state.requireOpen();
            var unused = Arguments.idToken(idToken);
            long asked = timer.now(TimeUnit.NANOSECONDS);
            return sts.federate(idToken, ttl)
                    .map(user -> new FederatedUser(
                            user.token(), user.authorityRecordId(), deadline(asked, user.lifetime())));
        }));
    }

    private Deadline deadline(long asked, Duration lifetime) {
        return new Deadline(asked + lifetime.toNanos(), timer);
    }

    /**
     * Obtains the authority again, once, because the platform may have ended its holder; a rejected mint has no effect.
     */
    private Mono<MintedMandate> mint(
            Mono<Held> obtained,
            @Nullable Envelope trace,
            String resource,
            List<String> scopes,
            MandateSpec spec,
            String requestId) {
        Mono<MintedMandate> minted = obtained.flatMap(held -> mint(
                        held.envelope(), trace == null ? held.envelope() : trace, resource, scopes, spec, requestId)
                .doOnError(HelperSessions::isGone, gone -> held.refused()));
        return minted.onErrorResume(HelperSessions::isGone, gone -> minted);
    }

    private Mono<MintedMandate> mint(
            Envelope acting, Envelope trace, String resource, List<String> scopes, MandateSpec spec, String requestId) {
        return pace.inTurn(resource, () -> {
            String session = Objects.requireNonNull(acting.agentSessionId());
            String edge = Objects.requireNonNull(acting.delegationEdgeId());
            long asked = timer.now(TimeUnit.NANOSECONDS);
            return sts.mint(new Mint(
                            resource,
                            scopes,
                            session,
                            edge,
                            spec.ttl(),
                            spec.approvalId(),
                            requestId,
                            TraceParent.write(trace.traceId(), trace.traceFlags())))
                    .map(minted -> new MintedMandate(
                            minted.value(), resource, scopes, acting, requestId, deadline(asked, minted.lifetime())));
        });
    }
}
