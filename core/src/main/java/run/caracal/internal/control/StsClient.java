package run.caracal.internal.control;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ClientSecretResolver;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ProtocolException;
import run.caracal.event.CaracalEvent.TokenExchange;
import run.caracal.event.CaracalEvent.TokenExchange.Cache;
import run.caracal.event.Completion;
import run.caracal.event.Completion.Outcome;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpTransport;
import run.caracal.internal.config.Rules;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.token.JwtClaims;
import run.caracal.internal.token.TokenCache;
import run.caracal.internal.token.TokenCache.Exchanged;
import run.caracal.internal.wire.ClientCredentials;
import run.caracal.internal.wire.ErrorAnswers;
import run.caracal.internal.wire.StsRequests;
import run.caracal.internal.wire.TokenForm;
import run.caracal.internal.wire.TokenResponse;

/**
 * The application token: exchanged at the STS (RFC 8693) for the client secret, or given by the configuration. An exchange
 * is one attempt: an answer that is lost may be a token that was minted (DESIGN S4).
 */
public final class StsClient implements TokenCache.Source {
    private static final Logger log = LoggerFactory.getLogger(StsClient.class);

    /** How many resources one application token asks for; calls to those beyond fail. */
    static final int MAX_TOKEN_RESOURCES = 64;

    /** The most that a token may say of its own lifetime; the platform issues none that lives longer. */
    private static final Duration MAX_OWN_LIFETIME = Duration.ofHours(1);

    /** A token of the configuration is never exchanged. */
    private static final Duration FOR_EVER = Duration.ofDays(36_500);

    private final CaracalConfig config;
    private final HttpTransport transport;
    private final EventBus events;
    private final StsRequests requests;

    /**
     * Creates the client.
     *
     * @param config whose token to fetch, and where
     * @param transport how
     * @param events hears of every exchange
     */
    public StsClient(CaracalConfig config, HttpTransport transport, EventBus events) {
        this.config = config;
        this.transport = transport;
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
            Mono<Exchanged> exchange = Mono.defer(secret::resolve)
                    .switchIfEmpty(Mono.error(() -> badSecret("it gave none")))
                    .flatMap(value -> {
                        String fault = Rules.clientSecret(value);
                        return fault == null ? exchange(value, asked) : Mono.error(badSecret("what it gave " + fault));
                    });
            return events.observe(
                    exchange,
                    200,
                    (token, completion) -> new TokenExchange(early ? Cache.REFRESH : Cache.MISS, completion));
        });
    }

    private Mono<Exchanged> exchange(String secret, List<String> resources) {
        ClientCredentials credentials = new ClientCredentials(config.zoneId(), config.applicationId(), secret);
        HttpRequest request =
                requests.token(TokenForm.application(credentials, resources, null), null, config.stsTimeout());
        return transport
                .exchange(request)
                .switchIfEmpty(Mono.error(() -> Attempts.noAnswer(request)))
                .map(answer -> {
                    if (!ErrorAnswers.isSuccess(answer.status())) {
                        throw ErrorAnswers.sts(request, answer, Instant.now());
                    }
                    TokenResponse token = TokenResponse.parse(request, answer);
                    List<String> granted = token.targetResources();
                    if (!token.missingScopes(List.of(TokenForm.LIFECYCLE_SCOPE)).isEmpty()) {
                        throw new ProtocolException(
                                "STS",
                                "POST /oauth/2/token",
                                answer.status(),
                                token.requestId(),
                                "it did not grant the scope " + TokenForm.LIFECYCLE_SCOPE);
                    }
                    return new Exchanged(
                            token.accessToken(), lifetime(token), granted == null ? null : Set.copyOf(granted));
                });
    }

    /** What the answer says; else what the token itself says, by this machine's clock; else the token is used once. */
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

    private static ConfigurationException badSecret(String fault) {
        return new ConfigurationException(List.of(new ConfigurationException.Problem(
                "clientSecret", "client secret resolver", fault + "; it has to give the secret, or an error")));
    }
}
