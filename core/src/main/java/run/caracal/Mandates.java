package run.caracal;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ConfigurationException;
import run.caracal.error.DelegationException;
import run.caracal.error.DelegationException.Reason;
import run.caracal.internal.control.StsClient;
import run.caracal.internal.control.StsClient.Mint;
import run.caracal.internal.propagation.Envelope;

/** Mints one-shot mandates for sessions: each for one call, none kept. */
final class Mandates {
    private final CaracalConfig config;
    private final StsClient sts;
    private final AuthorityOnDemand onDemand;
    private final ApplicationAuthority ofApplication;
    private final Scheduler timer;

    Mandates(
            CaracalConfig config,
            StsClient sts,
            AuthorityOnDemand onDemand,
            ApplicationAuthority ofApplication,
            Scheduler timer) {
        this.config = config;
        this.sts = sts;
        this.onDemand = onDemand;
        this.ofApplication = ofApplication;
        this.timer = timer;
    }

    /**
     * A mandate, and who acts with it: the same session and delegation that its claims name.
     *
     * @param mandate the mandate
     * @param envelope who acts
     */
    record Minted(Mandate mandate, Envelope envelope) {}

    /**
     * The scopes of calls to a resource, as far as they are known: those of the grant that names it, else those of the
     * configuration.
     */
    List<String> scopes(@Nullable CaracalContext bound, String resource) {
        Grant.Narrow grant = bound == null ? null : grant(bound.own());
        if (grant != null) {
            Authority.Spawned narrowed = Objects.requireNonNull(
                    narrowed(Objects.requireNonNull(bound).own()));
            if (resource.equals(narrowed.resource())
                    || grant.constraints().resources().contains(resource)) {
                return grant.scopes();
            }
        }
        return config.scopesOf(resource);
    }

    /** Whether calls to some resource have scopes. */
    boolean knowsScopes(@Nullable CaracalContext bound) {
        return (bound != null && grant(bound.own()) != null)
                || config.resourceIds().stream()
                        .anyMatch(resource -> !config.scopesOf(resource).isEmpty());
    }

    private static Grant.@Nullable Narrow grant(CaracalContext own) {
        Authority.Spawned narrowed = narrowed(own);
        return narrowed == null ? null : (Grant.Narrow) narrowed.grant();
    }

    /** How the session, or the one whose authority it inherits, was narrowed. */
    private static Authority.@Nullable Spawned narrowed(CaracalContext own) {
        CaracalContext context = own;
        while (context != null && context.authority() instanceof Authority.Spawned spawned) {
            if (spawned.grant() instanceof Grant.Narrow) {
                return spawned;
            }
            context = spawned.grant().equals(Grant.inherit()) && spawned.above() != null
                    ? spawned.above().own()
                    : null;
        }
        return null;
    }

    /**
     * Refuses what cannot lead to a mandate, before any call.
     *
     * @throws run.caracal.error.ConfigurationException without credentials to mint with
     * @throws DelegationException when the session was given nothing
     */
    void requireMintable(CaracalContext bound) {
        requireCredentials();
        CaracalContext own = current(bound.own());
        if (own.envelope().delegationEdgeId() == null && (own.session() == null || holdsNothing(own))) {
            throw new DelegationException(
                    Reason.NOTHING_GRANTED,
                    "The agent session " + own.agentSessionId()
                            + " was given nothing of its parent's authority, and obtains"
                            + " none, so nothing was sent. Give it a part with Grant.narrow, or make the call in its parent");
        }
    }

    /**
     * Checks that there is something to mint with.
     *
     * @throws run.caracal.error.ConfigurationException without a client secret
     */
    void requireCredentials() {
        if (config.clientSecret().isEmpty()) {
            throw StsClient.noCredentials();
        }
    }

    /** The error of a call to a resource whose scopes nobody has said. */
    static ConfigurationException noScopes(String resource) {
        return new ConfigurationException(List.of(new ConfigurationException.Problem(
                "scopes",
                "not set for " + resource,
                "a mandate is minted for scopes and none are known; name them, or configure them with "
                        + "CARACAL_RESOURCE_SCOPES or scopes of the credential in the profile")));
    }

    private static boolean holdsNothing(CaracalContext own) {
        CaracalContext context = own;
        while (context != null && context.authority() instanceof Authority.Spawned spawned && spawned.above() != null) {
            if (spawned.grant().equals(Grant.none())) {
                return true;
            }
            context = spawned.above().own();
        }
        return false;
    }

    /** What the session holds now: a service renews its delegation. */
    private static CaracalContext current(CaracalContext own) {
        Session session = own.session();
        return session != null && own.authority() instanceof Authority.Spawned ? session.context() : own;
    }

    /** Mints a mandate for a session: one attempt. */
    Mono<Minted> mint(
            CaracalContext bound, String resource, List<String> scopes, MandateOptions options, String requestId) {
        return Mono.defer(() -> {
            requireMintable(bound);
            CaracalContext own = current(bound.own());
            Session session = own.session();
            if (own.envelope().delegationEdgeId() != null || session == null) {
                return mint(own.envelope(), resource, scopes, options, requestId);
            }
            return onDemand.obtain(session, resource, scopes, options.labels(), null)
                    .flatMap(held -> mint(held, resource, scopes, options, requestId));
        });
    }

    /** Mints a mandate for the application itself, whatever session is bound: one attempt. */
    Mono<Minted> mintAsApplication(ApplicationAuthority.Need need, MandateOptions options, String requestId) {
        return Mono.defer(() -> {
            requireCredentials();
            return ofApplication
                    .obtain(need)
                    .flatMap(held -> mint(held, need.resource(), need.scopes(), options, requestId));
        });
    }

    /** Exchanges a user's identity token: one attempt. */
    Mono<FederatedSubject> federate(String idToken, @Nullable Duration ttl) {
        return Mono.defer(() -> {
            long asked = timer.now(TimeUnit.NANOSECONDS);
            return sts.federate(idToken, ttl)
                    .map(user -> new FederatedSubject(
                            user.token(),
                            user.authorityRecordId(),
                            asked + user.lifetime().toNanos(),
                            timer));
        });
    }

    private Mono<Minted> mint(
            AuthorityOnDemand.Held held,
            String resource,
            List<String> scopes,
            MandateOptions options,
            String requestId) {
        return mint(held.envelope(), resource, scopes, options, requestId)
                .doOnError(AuthorityOnDemand::isGone, gone -> held.refused());
    }

    private Mono<Minted> mint(
            Envelope acting, String resource, List<String> scopes, MandateOptions options, String requestId) {
        return Mono.defer(() -> {
            String session = Objects.requireNonNull(acting.agentSessionId());
            String edge = Objects.requireNonNull(acting.delegationEdgeId());
            long asked = timer.now(TimeUnit.NANOSECONDS);
            return sts.mint(new Mint(
                            resource,
                            scopes,
                            session,
                            edge,
                            options.ttl().orElse(null),
                            options.approvalId().orElse(null),
                            requestId))
                    .map(minted -> new Minted(
                            new Mandate(
                                    minted.value(),
                                    resource,
                                    scopes,
                                    session,
                                    edge,
                                    requestId,
                                    asked + minted.lifetime().toNanos(),
                                    timer),
                            acting));
        });
    }
}
