package run.caracal.internal.outbound;

import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.util.context.ContextView;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CaracalException;
import run.caracal.error.NoContextException;
import run.caracal.error.RoutingException;
import run.caracal.event.CaracalEvent;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundHeaders;
import run.caracal.http.OutboundPolicy;
import run.caracal.http.Propagation;
import run.caracal.http.TransportOptions;
import run.caracal.internal.Calls;
import run.caracal.internal.Headers;
import run.caracal.internal.LogNames;
import run.caracal.internal.config.Problems;
import run.caracal.internal.config.Rules;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.context.Provenance;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.mandate.ApplicationSessions;
import run.caracal.internal.mandate.ApplicationSessions.Need;
import run.caracal.internal.mandate.ApplicationSpec;
import run.caracal.internal.mandate.MandateMinter;
import run.caracal.internal.mandate.MandateSpec;
import run.caracal.internal.mandate.MintedMandate;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.HeaderMap;
import run.caracal.internal.propagation.TraceParent;
import run.caracal.internal.routing.Route;
import run.caracal.internal.routing.Router;
import run.caracal.internal.token.AccessToken;
import run.caracal.internal.token.TokenCache;

/** Decides about outgoing requests, for all decorated clients of one client. */
public final class OutboundDecider {
    private static final Logger log = LoggerFactory.getLogger(LogNames.CLIENT);

    /** The maximum number of origins and resources that are logged, once each. */
    private static final int MAX_LOGGED = 1_000;

    private static final int UNAUTHORIZED = 401;

    /** The maximum number of unbound resource ids accepted by gatewayRequest. */
    private static final int MAX_VOUCHED_RESOURCES = 10_000;

    private final CaracalConfig config;
    private final Router router;
    private final TokenCache tokens;
    private final MandateMinter mandates;
    private final Set<String> configured;
    private final Scope client;
    private final ClientState state;
    private final EventBus events;
    private final Set<String> vouched = ConcurrentHashMap.newKeySet();
    private final Set<String> warned = ConcurrentHashMap.newKeySet();
    private final Set<String> leftAlone = ConcurrentHashMap.newKeySet();
    private final Set<String> unscoped = ConcurrentHashMap.newKeySet();

    /**
     * Creates the policies of a client.
     *
     * @param client the scope of its sessions: contexts of another client are refused
     */
    public OutboundDecider(
            CaracalConfig config,
            Router router,
            TokenCache tokens,
            MandateMinter mandates,
            Scope client,
            ClientState state,
            EventBus events) {
        this.config = config;
        this.router = router;
        this.tokens = tokens;
        this.mandates = mandates;
        this.client = client;
        this.state = state;
        this.events = events;
        this.configured = Set.copyOf(config.resourceIds());
    }

    /** The address of a resource at the Gateway; the header that names the resource is accepted from now on. */
    public String gatewayUrl(String resource, String path) {
        String url = router.gatewayUrl(resource, path);
        vouch(resource);
        return url;
    }

    private void vouch(String resource) {
        if (!configured.contains(resource) && !vouched.contains(resource)) {
            if (vouched.size() >= MAX_VOUCHED_RESOURCES) {
                throw new RoutingException("gatewayRequest was asked for more than " + MAX_VOUCHED_RESOURCES
                        + " different resources that are not configured; configure them with CARACAL_APP_RESOURCES");
            }
            vouched.add(resource);
        }
    }

    /**
     * The headers that carry the bound context and the application's token.
     *
     * @param asApplication whether the application itself may be meant, outside of a context
     */
    public Mono<Map<String, String>> headers(boolean asApplication) {
        return Calls.sealed(Mono.deferContextual(view -> {
            state.requireOpen();
            BoundContext context = BoundContext.find(view);
            Envelope envelope = envelope(context, asApplication);
            BoundContext.requireNoCaller(context, "headers() does not know where its bearer would go");
            return tokens.getForCaller().map(token -> {
                Map<String, String> headers = new LinkedHashMap<>();
                headers.put(Headers.AUTHORIZATION, token.authorization());
                envelope.encode(new HeaderMap(headers));
                return headers;
            });
        }));
    }

    /** The policy of a decorated client. */
    public OutboundPolicy policy(TransportOptions options, @Nullable String approvalId) {
        Propagation propagation = options.propagation().or(config::propagation).orElseGet(Propagation::resources);
        Problems problems = new Problems();
        problems.check(
                "propagation",
                "the options of the client that was decorated",
                Rules.identityOrigins(propagation.namedOrigins(), config.production(), config.allowInsecureUrls()));
        problems.throwIfAny();
        MandateSpec minting = new MandateSpec(null, approvalId, options.labels());
        return guarded((url, resource, context) -> resolve(propagation, options, minting, url, resource, context));
    }

    /** The policy of calls that the application makes itself, to one resource and to nothing else. */
    public OutboundPolicy application(String resource, List<String> scopes, ApplicationSpec spec) {
        List<String> wanted = scopes.isEmpty() ? config.scopesOf(resource) : scopes;
        if (wanted.isEmpty()) {
            throw mandates.noScopes(resource);
        }
        mandates.requireCredentials();
        vouch(resource);
        Need need = new Need(
                resource,
                wanted,
                spec.labels(),
                spec.ttl() == null ? ApplicationSessions.MANDATE_TTL : spec.ttl(),
                spec.subjectAuthorityRecordId());
        MandateSpec minting = new MandateSpec(spec.ttl(), null, List.of());
        return guarded((url, named, context) -> {
            Route route = router.route(url, null);
            boolean fits = route instanceof Route.Rewritten rewritten
                    ? rewritten.resource().equals(resource)
                    : route instanceof Route.AtGateway;
            if (!fits || (named != null && !named.isEmpty() && !named.equals(resource))) {
                throw new RoutingException("An application transport calls " + resource
                        + " and nothing else, so nothing was sent. Call an address under its bound prefix, or one of "
                        + "gatewayRequest(...) for it, and use another client for the rest");
            }
            return asApplication(route, need, minting, context);
        });
    }

    private OutboundPolicy guarded(OutboundPolicy policy) {
        return (url, resource, context) -> {
            try {
                state.requireOpen();
                Mono<OutboundDecision> resolved = policy.resolve(url, resource, context);
                Mono<OutboundDecision> decided =
                        events.isObserved() ? resolved.map(decision -> observe(decision, context)) : resolved;
                // A caller's onErrorContinue must not swallow a rejection. An immediate decision stays a scalar.
                return decided instanceof Callable ? decided : Calls.sealed(decided);
            } catch (CaracalException refused) {
                return Mono.error(refused);
            }
        };
    }

    private OutboundDecision observe(OutboundDecision decision, ContextView context) {
        return decision instanceof Identified identified && identified.gateway
                ? new ObservedDecision(decision, events.start(CaracalEvent.GatewayCall.class, context))
                : decision;
    }

    private Mono<OutboundDecision> resolve(
            Propagation propagation,
            TransportOptions options,
            MandateSpec minting,
            String url,
            @Nullable String resource,
            ContextView context) {
        Route route = router.route(url, resource);
        BoundContext bound = BoundContext.find(context);
        Provenance.Received received = bound == null ? null : bound.received();
        String inbound = received == null ? null : received.bearer();
        if (route instanceof Route.PassThrough pass) {
            String origin = pass.origin();
            if (!propagation.allows(false, false, origin)) {
                sayThatItIsLeftAlone(origin);
                return Mono.just(new Untouched(url));
            }
            checkPlainHttp(origin);
            if (inbound == null && !propagation.names(origin)) {
                warnOfIdentity(origin);
            }
        } else if (route instanceof Route.Rewritten) {
            // A request that names its resource addresses the Gateway, whatever its address.
            if (!propagation.allows(resource != null, true, "")) {
                return Mono.just(new Untouched(url));
            }
        }
        Envelope envelope = envelope(bound, options.asApplication());
        if (inbound != null) {
            // To the Gateway the caller's own bearer, because nothing is minted for its session; elsewhere only its
            // trace and baggage.
            boolean mayGo = !(route instanceof Route.PassThrough pass) || propagation.names(pass.origin());
            return Mono.just(
                    decide(route, url, envelope, null, mayGo ? Headers.BEARER + inbound : null, requestId(context)));
        }
        if (!(route instanceof Route.PassThrough)) {
            String target = target(route, resource, options, bound);
            List<String> scopes = target == null ? List.of() : scopes(options, bound, target);
            if (target != null && !scopes.isEmpty()) {
                requireKnown(target);
                return bound == null || !bound.hasAgentSession()
                        ? asApplication(
                                route,
                                new Need(target, scopes, options.labels(), ApplicationSessions.MANDATE_TTL, null),
                                minting,
                                context)
                        : inSession(route, target, scopes, minting, bound, context);
            }
            if (target != null && minting.approvalId() != null) {
                throw mandates.noScopes(target);
            }
        }
        String requestId = requestId(context);
        AccessToken token = tokens.peek();
        if (token != null) {
            return Mono.just(decide(route, url, envelope, token, token.authorization(), requestId));
        }
        return tokens.getForCaller()
                .map(fetched -> decide(route, url, envelope, fetched, fetched.authorization(), requestId));
    }

    /** The caller's request id, if known by now and well-formed. */
    private static @Nullable String requestId(ContextView context) {
        return context.getOrDefault(OutboundPolicy.REQUEST_ID, null) instanceof String id && Headers.isRequestId(id)
                ? id
                : null;
    }

    private static String requestIdOfMint(ContextView context) {
        String given = requestId(context);
        return given == null ? TraceParent.newTraceId() : given;
    }

    /**
     * The resource of a request to the Gateway; {@code null} when it becomes known only as the request leaves, and no scopes
     * depend on it.
     */
    private @Nullable String target(
            Route route, @Nullable String named, TransportOptions options, @Nullable BoundContext bound) {
        if (route instanceof Route.Rewritten rewritten) {
            return rewritten.resource();
        }
        if (named != null && !named.isEmpty()) {
            return named;
        }
        if (options.scopes().isEmpty() && !mandates.knowsScopes(bound)) {
            return null;
        }
        if (config.resourceIds().size() == 1) {
            return config.resourceIds().get(0);
        }
        throw new RoutingException(
                "A request to the Gateway with scopes has to say early which resource it is for, because "
                        + "its mandate is minted for that resource, so nothing was sent. Set " + Headers.RESOURCE
                        + " on the HttpClient with headers(...), use the WebClient filter, or call the bound address of the "
                        + "resource");
    }

    private List<String> scopes(TransportOptions options, @Nullable BoundContext bound, String resource) {
        return options.scopes().isEmpty() ? mandates.scopes(bound, resource) : options.scopes();
    }

    /** A request of a session with its own mandate, minted for each resolution and valid for one request. */
    private Mono<OutboundDecision> inSession(
            Route route,
            String resource,
            List<String> scopes,
            MandateSpec minting,
            BoundContext bound,
            ContextView context) {
        mandates.requireMintable(bound);
        return mandates.mint(bound, resource, scopes, minting, requestIdOfMint(context))
                .map(minted -> decide(
                        route,
                        resource,
                        minted,
                        bound.isElsewhere() ? minted.acting().inTraceOf(bound.envelope()) : minted.acting()));
    }

    /** A request of the application itself with its own mandate, in the bound trace. */
    private Mono<OutboundDecision> asApplication(Route route, Need need, MandateSpec minting, ContextView context) {
        mandates.requireCredentials();
        BoundContext bound = BoundContext.find(context);
        Envelope around = bound == null ? Envelope.EMPTY : bound.envelope().traceOnly();
        return mandates.mintAsApplication(need, minting, requestIdOfMint(context))
                .map(minted ->
                        decide(route, need.resource(), minted, minted.acting().inTraceOf(around)));
    }

    private OutboundDecision decide(Route route, String resource, MintedMandate mandate, Envelope envelope) {
        return new Identified(
                route instanceof Route.Rewritten rewritten ? rewritten.url() : ((Route.AtGateway) route).url(),
                resource,
                mandate.resource(),
                true,
                envelope,
                null,
                Headers.BEARER + mandate.value(),
                mandate.requestId());
    }

    /** The identity of a context, or of the application outside of one. */
    private Envelope envelope(@Nullable BoundContext bound, boolean asApplication) {
        BoundContext context = BoundContext.requireActing(bound, client);
        if (context == null) {
            if (!asApplication) {
                throw new NoContextException(
                        "No Caracal context is bound in the Reactor Context, so nothing was sent. Bind one "
                                + "with spawn(...) or bind(context, publisher), or choose asApplication to call as the application "
                                + "itself");
            }
            return Envelope.EMPTY;
        }
        return context.present().envelope();
    }

    private OutboundDecision decide(
            Route route,
            String url,
            Envelope envelope,
            @Nullable AccessToken token,
            @Nullable String authorization,
            @Nullable String requestId) {
        if (route instanceof Route.Rewritten rewritten) {
            if (token != null) {
                requireCovered(token, rewritten.resource());
            }
            return new Identified(
                    rewritten.url(), rewritten.resource(), null, true, envelope, token, authorization, requestId);
        }
        if (route instanceof Route.AtGateway at) {
            return new Identified(at.url(), null, null, true, envelope, token, authorization, requestId);
        }
        return new Identified(url, null, null, false, envelope, token, authorization, requestId);
    }

    /**
     * Rejects a call of the SDK that cannot succeed: to a resource that is not configured and has no known scopes.
     */
    void requireCallable(String resource, TransportOptions options, ContextView context) {
        if (configured.contains(resource)) {
            return;
        }
        BoundContext bound = BoundContext.find(context);
        if ((bound == null || bound.received() == null)
                && scopes(options, bound, resource).isEmpty()) {
            throw new RoutingException(
                    "The resource " + resource + " is not configured, and no scopes are named for it, so"
                            + " nothing was sent. " + mandates.configuredResources()
                            + " Check the id, or add it to CARACAL_RESOURCES or [[credentials]]; a call with scopes of its own needs no"
                            + " configuration");
        }
    }

    private void requireKnown(String resource) {
        if (!configured.contains(resource) && !vouched.contains(resource)) {
            throw new RoutingException("The resource named by " + Headers.RESOURCE
                    + " is not configured; bind it with CARACAL_RESOURCES or "
                    + "[[credentials]], or make the request with gatewayRequest(...)");
        }
    }

    private void requireCovered(AccessToken token, String resource) {
        if (configured.contains(resource) && !token.covers(resource)) {
            throw new RoutingException("The application token was not granted for " + resource
                    + ", so nothing was sent; check the policy of the resource and the application's grant");
        }
    }

    private void checkPlainHttp(String origin) {
        if (config.production() && !config.allowInsecureUrls() && Rules.isInsecureOrigin(origin)) {
            throw new RoutingException("In production no identity goes over plain http, and " + origin
                    + " is not a loopback address; use https, or limit the propagation to leave this origin alone");
        }
    }

    private void warnOfIdentity(String origin) {
        if (isNew(warned, origin)) {
            log.warn(
                    "Requests to {} carry the application's token, because the propagation is everywhere: the origin is "
                            + "neither the Gateway nor a bound resource. Choose Propagation.resources() or origins(...) to limit "
                            + "where identity goes",
                    origin);
        }
    }

    private void sayThatItIsLeftAlone(String origin) {
        if (isNew(leftAlone, origin)) {
            log.info(
                    "Requests to {} pass without an identity: the origin is neither the Gateway nor a bound resource. For a "
                            + "service that takes the identity, name the origin in Propagation.origins(...) or "
                            + "CARACAL_PROPAGATION; for a protected resource, bind its address in CARACAL_RESOURCES",
                    origin);
        }
    }

    /** Warns once per resource, because a 401 in a pipeline shows neither the resource nor that scopes are missing. */
    private void warnOfNoScopes(String resource) {
        if (isNew(unscoped, resource)) {
            log.warn(
                    "The Gateway refused a request for {} with 401. No scopes are known for this resource, so the request carried"
                            + " the application token, which a platform from 1.0 on refuses with 'invalid subject_token': it wants"
                            + " a mandate of its own for each request, and that is minted for scopes. Name the scopes in"
                            + " CARACAL_RESOURCE_SCOPES, with scopes in the resource's credential of the profile, or in code with"
                            + " resource(id, prefix, scopes...) of the configuration or withScopes(...) of one client or call",
                    resource);
        }
    }

    private static boolean isNew(Set<String> logged, String name) {
        return !logged.contains(name) && logged.size() < MAX_LOGGED && logged.add(name);
    }

    /** A request without identity, which only loses the header of the Gateway. */
    private record Untouched(String url) implements OutboundDecision {
        @Override
        public boolean carriesIdentity() {
            return false;
        }

        @Override
        public void edit(OutboundHeaders headers) {
            headers.remove(Headers.RESOURCE);
        }
    }

    /** A request that gets an identity. */
    private final class Identified implements OutboundDecision {
        private final String url;
        private final @Nullable String resource;
        private final boolean gateway;
        private final Envelope envelope;
        private final @Nullable AccessToken token;
        private final @Nullable String mintedFor;
        private final @Nullable String authorization;
        private final @Nullable String requestId;
        private final @Nullable AtomicBoolean used;
        private @Nullable String calls; // the resource, once the request leaves

        /**
         * Decides.
         *
         * @param mintedFor the resource of the one-shot mandate that is the bearer; {@code null} when it is the token
         * @param authorization the header with the bearer; {@code null} for a request to elsewhere that may not have the
         *     one of its caller
         * @param requestId the id that the request gets unless the caller sets one; {@code null} for a fresh one
         */
        Identified(
                String url,
                @Nullable String resource,
                @Nullable String mintedFor,
                boolean gateway,
                Envelope envelope,
                @Nullable AccessToken token,
                @Nullable String authorization,
                @Nullable String requestId) {
            this.requestId = requestId;
            this.mintedFor = mintedFor;
            this.authorization = authorization;
            this.used = mintedFor == null ? null : new AtomicBoolean();
            this.url = url;
            this.resource = resource;
            this.gateway = gateway;
            this.envelope = envelope;
            this.token = token;
        }

        @Override
        public String url() {
            return url;
        }

        @Override
        public boolean carriesIdentity() {
            return true;
        }

        @Override
        public boolean ownsAuthorization() {
            return gateway;
        }

        @Override
        public void edit(OutboundHeaders headers) {
            if (gateway) {
                calls = resource(headers);
                headers.set(Headers.RESOURCE, calls);
                if (used != null && !used.compareAndSet(false, true)) {
                    throw new RoutingException(
                            "A mandate is good for one request, and this one was used already, so nothing was "
                                    + "sent; resolve each request separately");
                }
                headers.set(Headers.AUTHORIZATION, Objects.requireNonNull(authorization));
            } else {
                headers.remove(Headers.RESOURCE);
                if (authorization != null
                        && headers.getAll(Headers.AUTHORIZATION).isEmpty()) {
                    headers.set(Headers.AUTHORIZATION, authorization);
                }
            }
            envelope.encode(headers);
            if (headers.getAll(Headers.REQUEST_ID).isEmpty()) {
                headers.set(Headers.REQUEST_ID, requestId == null ? TraceParent.newTraceId() : requestId);
            }
        }

        @Override
        public void answered(int status, Function<String, @Nullable String> header) {
            String resource = calls;
            if (status == UNAUTHORIZED
                    && gateway
                    && token != null
                    && resource != null
                    && header.apply(Headers.UPSTREAM_ANSWERED) == null) {
                warnOfNoScopes(resource);
            }
            ended(status, null);
        }

        private String resource(OutboundHeaders headers) {
            List<String> selected = headers.getAll(Headers.RESOURCE);
            if (selected.size() > 1) {
                throw new RoutingException(
                        "A request may select one resource, and " + Headers.RESOURCE + " stands in it more than once");
            }
            String chosen = selected.isEmpty() ? resource : selected.get(0);
            if (chosen == null) {
                throw new RoutingException("A request to the Gateway has to say which resource it is for; make it with "
                        + "gatewayRequest(...) and set its headers, or call the bound address of the resource");
            }
            if ((resource != null && !resource.equals(chosen)) || (mintedFor != null && !mintedFor.equals(chosen))) {
                throw new RoutingException(
                        Headers.RESOURCE + " was set too late to route the request by it; set it before the request is "
                                + "sent: on the HttpClient with headers(...), or use the WebClient filter");
            }
            requireKnown(chosen);
            if (token != null) {
                requireCovered(token, chosen);
            }
            return chosen;
        }
    }
}
