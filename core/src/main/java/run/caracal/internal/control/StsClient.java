package run.caracal.internal.control;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ClientSecretResolver;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ProtocolException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.CaracalEvent.TokenExchange;
import run.caracal.event.CaracalEvent.TokenExchange.Cache;
import run.caracal.event.Completion;
import run.caracal.event.Completion.Outcome;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.internal.Ids;
import run.caracal.internal.Supplied;
import run.caracal.internal.config.CheckedSecret;
import run.caracal.internal.config.Rules;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.token.JwtClaims;
import run.caracal.internal.token.TokenCache;
import run.caracal.internal.token.TokenCache.Exchanged;
import run.caracal.internal.wire.ApprovalAnswer;
import run.caracal.internal.wire.ClientCredentials;
import run.caracal.internal.wire.ErrorAnswers;
import run.caracal.internal.wire.StsRequests;
import run.caracal.internal.wire.TokenForm;
import run.caracal.internal.wire.TokenResponse;

/**
 * The tokens of the STS: the application token, exchanged (RFC 8693) for the client secret or given by the configuration,
 * and the mandates for calls through the Gateway. An exchange is one attempt: an answer that is lost may be a token that was minted.
 */
public final class StsClient implements TokenCache.Source {
    private static final String TOKEN_ROUTE = "POST /oauth/2/token";

    private static final Logger log = LoggerFactory.getLogger(StsClient.class);

    /** The maximum number of resources of an application token; calls to further ones fail. */
    static final int MAX_TOKEN_RESOURCES = 64;

    /** The maximum lifetime accepted from a token; the platform issues none that lives longer. */
    private static final Duration MAX_OWN_LIFETIME = Duration.ofHours(1);

    /** The timeout of the application's secret resolver, on which all callers wait. */
    private static final Duration MAX_RESOLVING = Duration.ofSeconds(30);

    /** A token of the configuration is never exchanged. */
    private static final Duration FOR_EVER = Duration.ofDays(36_500);

    private static final String RESOLVER = "The client secret resolver";

    private final CaracalConfig config;
    private final HttpTransport transport;
    private final HttpTransport calls;
    private final HttpTransport polls;
    private final Scheduler secrets;
    private final EventBus events;
    private final StsRequests requests;

    /**
     * Creates the client.
     *
     * @param config whose token to fetch, and where
     * @param transport how the application's token is exchanged, which renewals wait for
     * @param calls how callers are served
     * @param polls how the state of approvals is asked for, whose answers take long
     * @param secrets where code of users resolves the secret for the application's token
     */
    public StsClient(
            CaracalConfig config,
            HttpTransport transport,
            HttpTransport calls,
            HttpTransport polls,
            Scheduler secrets,
            EventBus events) {
        this.config = config;
        this.transport = transport;
        this.calls = calls;
        this.polls = polls;
        this.secrets = secrets;
        this.events = events;
        this.requests = new StsRequests(config.stsUrl());
    }

    @Override
    public Mono<Exchanged> exchange(boolean early) {
        return Mono.defer(() -> {
            ClientSecretResolver secret = config.clientSecret().orElse(null);
            if (secret == null) {
                return Mono.justOrEmpty(config.subjectToken()).map(token -> new Exchanged(token, FOR_EVER, null));
            }
            List<String> resources = config.resourceIds();
            if (resources.isEmpty()) {
                return Mono.error(noResources());
            }
            List<String> asked = resources.subList(0, Math.min(resources.size(), MAX_TOKEN_RESOURCES));
            // Fixed secrets need no code of users, which is not to run where a renewal asks for the token.
            ClientSecretResolver apart = secret instanceof CheckedSecret
                    ? secret
                    : () -> Supplied.ask(RESOLVER, secret::resolve).subscribeOn(secrets);
            Mono<Exchanged> exchange = resolved(apart).flatMap(value -> exchange(value, asked));
            return events.observe(
                    TokenExchange.class,
                    exchange,
                    (token, completion) -> new TokenExchange(early ? Cache.REFRESH : Cache.MISS, completion));
        });
    }

    private Mono<Exchanged> exchange(String secret, List<String> resources) {
        return granted(
                        transport,
                        TokenForm.application(credentials(secret), resources, null),
                        List.of(Rules.LIFECYCLE_SCOPE),
                        null,
                        null)
                .map(token -> {
                    List<String> granted = token.targetResources();
                    return new Exchanged(
                            token.accessToken(), lifetime(token), granted == null ? null : Set.copyOf(granted));
                });
    }

    /**
     * The request for a one-shot mandate.
     *
     * @param ttl how long it lives; {@code null} for the platform's own default
     * @param approvalId the approval that is presented, or {@code null}
     * @param requestId the request id, shared with the call
     * @param traceparent the trace of the session that acts
     */
    public record Mint(
            String resource,
            List<String> scopes,
            String agentSessionId,
            String delegationEdgeId,
            @Nullable Duration ttl,
            @Nullable String approvalId,
            String requestId,
            String traceparent) {}

    /**
     * A one-shot mandate.
     *
     * @param lifetime how long it lives from the instant it was asked for
     */
    public record Minted(String value, Duration lifetime) {
        @Override
        public String toString() {
            return "Minted[lifetime=" + lifetime + "]";
        }
    }

    /**
     * Mints a one-shot mandate: one attempt, never cached.
     *
     * @return the mandate; {@link run.caracal.error.ApprovalRequiredException} when a person has to approve first
     */
    public Mono<Minted> mint(Mint mint) {
        Mono<Minted> minted = secret(StsClient::noCredentials)
                .flatMap(secret -> granted(
                        calls,
                        TokenForm.mandate(
                                credentials(secret),
                                mint.scopes(),
                                mint.resource(),
                                mint.agentSessionId(),
                                mint.delegationEdgeId(),
                                seconds(mint.ttl()),
                                mint.approvalId()),
                        mint.scopes(),
                        mint.requestId(),
                        mint.traceparent()))
                .map(token -> {
                    if (!token.missingResources(List.of(mint.resource())).isEmpty()) {
                        throw new ProtocolException(
                                "STS", TOKEN_ROUTE, 200, token.requestId(), "it did not grant " + mint.resource());
                    }
                    return new Minted(token.accessToken(), lifetime(token));
                })
                .onErrorMap(ApprovalRequiredException.class, held -> held.withResource(mint.resource()));
        return events.observe(
                CaracalEvent.MandateMinted.class,
                minted,
                (mandate, completion) -> new CaracalEvent.MandateMinted(mint.resource(), completion));
    }

    /**
     * A federated user.
     *
     * @param lifetime how long the mandate lives from the instant it was asked for
     */
    public record Federated(String token, String authorityRecordId, Duration lifetime) {
        @Override
        public String toString() {
            return "Federated[authorityRecordId=" + authorityRecordId + ", lifetime=" + lifetime + "]";
        }
    }

    /**
     * Exchanges a user's identity token: one attempt, never cached.
     *
     * @param ttl how long the mandate lives; {@code null} for the platform's own default
     */
    public Mono<Federated> federate(String idToken, @Nullable Duration ttl) {
        Mono<Federated> federated = secret(StsClient::noCredentialsToFederate)
                .flatMap(secret -> granted(
                        calls, TokenForm.federation(credentials(secret), idToken, seconds(ttl)), List.of(), null, null))
                .map(token -> {
                    String record = JwtClaims.text(token.accessToken(), "sid");
                    if (record == null || !Ids.isValid(record)) {
                        throw new ProtocolException(
                                "STS",
                                TOKEN_ROUTE,
                                200,
                                token.requestId(),
                                "the token names no authority record in its claim sid");
                    }
                    return new Federated(token.accessToken(), record, lifetime(token));
                });
        return events.observe(
                CaracalEvent.SubjectFederated.class,
                federated,
                (user, completion) ->
                        new CaracalEvent.SubjectFederated(user == null ? null : user.authorityRecordId(), completion));
    }

    private static @Nullable Integer seconds(@Nullable Duration ttl) {
        return ttl == null ? null : Math.toIntExact(ttl.toSeconds());
    }

    private Mono<String> secret(Supplier<ConfigurationException> none) {
        return Mono.defer(() -> resolved(config.clientSecret().orElseThrow(none)));
    }

    /**
     * Asks for the state of an approval: one poll, which the STS holds open while nothing changes.
     *
     * @return the state, for instance {@code pending} or {@code approved}, and the end of the hold
     */
    public Mono<ApprovalAnswer> approvalState(String approvalId, Duration wait) {
        return Mono.defer(() -> {
            HttpRequest request = requests.approval(approvalId, wait, wait.plus(config.stsTimeout()));
            return answered(polls, request, answer -> ApprovalAnswer.parse(request, answer));
        });
    }

    private static <T> Mono<T> answered(HttpTransport through, HttpRequest request, Function<HttpResponse, T> read) {
        return through.exchange(request)
                .switchIfEmpty(Mono.error(() -> ErrorAnswers.none(request)))
                .map(answer -> {
                    if (!ErrorAnswers.isSuccess(answer.status())) {
                        throw ErrorAnswers.sts(request, answer, Instant.now());
                    }
                    return read.apply(answer);
                });
    }

    /** One attempt: an answer that is lost may be a token that was minted. */
    private Mono<TokenResponse> granted(
            HttpTransport through,
            TokenForm form,
            List<String> scopes,
            @Nullable String requestId,
            @Nullable String traceparent) {
        HttpRequest request = requests.token(form, requestId, traceparent, config.stsTimeout());
        return answered(through, request, answer -> {
            TokenResponse token = TokenResponse.parse(request, answer);
            List<String> missing = token.missingScopes(scopes);
            if (!missing.isEmpty()) {
                throw new ProtocolException(
                        "STS",
                        TOKEN_ROUTE,
                        answer.status(),
                        token.requestId(),
                        "it did not grant the scope " + String.join(" ", missing));
            }
            return token;
        });
    }

    private ClientCredentials credentials(String secret) {
        return new ClientCredentials(config.zoneId(), config.applicationId(), secret);
    }

    private static Mono<String> resolved(ClientSecretResolver resolver) {
        return Supplied.ask(
                        RESOLVER,
                        resolver::resolve,
                        MAX_RESOLVING,
                        Mono.error(StsClient::noSecretInTime),
                        Schedulers.parallel())
                .switchIfEmpty(Mono.error(() -> badSecret("it gave none")))
                .doOnNext(secret -> {
                    String fault = resolver instanceof CheckedSecret ? null : Rules.clientSecret(secret);
                    if (fault != null) {
                        throw badSecret("its secret " + fault);
                    }
                });
    }

    /** {@return the error for a mandate without credentials to ask for it, which names what to configure} */
    public static ConfigurationException noCredentials() {
        return noCredentials(
                "a call with scopes needs a one-shot mandate, which is minted with", ", or configure no scopes");
    }

    private static ConfigurationException noCredentialsToFederate() {
        return noCredentials("a user's identity token is exchanged together with", "");
    }

    private static ConfigurationException noCredentials(String why, String otherwise) {
        return new ConfigurationException(List.of(new ConfigurationException.Problem(
                "clientSecret",
                "not set",
                why + " the client secret, and this application only has a static token; set "
                        + "CARACAL_APP_CLIENT_SECRET or its _FILE, app_client_secret in the profile, or clientSecret in the "
                        + "builder" + otherwise)));
    }

    /** The lifetime in the answer; else that of the token, by this machine's clock; else the token is used once. */
    private static Duration lifetime(TokenResponse token) {
        Duration stated = token.expiresIn();
        if (stated != null) {
            return stated;
        }
        double expiry = JwtClaims.read(token.accessToken()).expiry().orElse(0);
        double millis = expiry * 1000 - (double) Instant.now().toEpochMilli();
        return Duration.ofMillis((long) Math.max(0, Math.min(millis, (double) MAX_OWN_LIFETIME.toMillis())));
    }

    @Override
    public void served() {
        events.emit(() -> new TokenExchange(Cache.HIT, new Completion(Outcome.SUCCESS, Duration.ZERO, 0, null, null)));
    }

    @Override
    public void refreshFailed(Throwable error) {
        log.warn(
                "The application token could not be refreshed early; the present one is used until it expires: {}",
                error.getMessage());
    }

    private static ConfigurationException noResources() {
        return new ConfigurationException(List.of(new ConfigurationException.Problem(
                "resources",
                "no CARACAL_RESOURCES, CARACAL_APP_RESOURCES or [[credentials]]",
                "the application token is issued for resources and none is configured; bind at least one resource that the "
                        + "application's policy grants, with CARACAL_RESOURCES=<id>=<upstream prefix> or a [[credentials]] "
                        + "section of the profile")));
    }

    /** Transient: the next exchange calls the resolver again. */
    private static TransportException noSecretInTime() {
        return new TransportException(
                TransportException.Kind.CONNECT,
                "The client secret resolver gave no secret within " + MAX_RESOLVING.toSeconds()
                        + " s, and nothing was sent to the STS; check the resolver and the secret store that it asks",
                null);
    }

    private static ConfigurationException badSecret(String fault) {
        return new ConfigurationException(List.of(new ConfigurationException.Problem(
                "clientSecret", "client secret resolver", fault + "; it has to give the secret, or an error")));
    }
}
