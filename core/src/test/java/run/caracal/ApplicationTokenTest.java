package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.config.CaracalConfig;
import run.caracal.error.CaracalException;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ProtocolException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.http.HttpRequest;
import run.caracal.test.FakePlatform;

class ApplicationTokenTest {
    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private Mono<String> bearer(Caracal caracal) {
        return caracal.headersAsApplication().map(headers -> headers.getOrDefault("Authorization", ""));
    }

    @Test
    void theExchangeIsThatOfRfc8693() {
        StepVerifier.create(bearer(platform.client()))
                .expectNext("Bearer token-1")
                .expectComplete()
                .verify(LIMIT);
        HttpRequest exchange = platform.requests(FakePlatform::isToken).get(0);
        assertThat(FakePlatform.header(exchange, "Content-Type")).isEqualTo("application/x-www-form-urlencoded");
        assertThat(FakePlatform.body(exchange))
                .contains(
                        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange",
                        "zone_id=zone-1",
                        "application_id=app-1",
                        "client_secret=the-client-secret",
                        "scope=agent%3Alifecycle",
                        "resource=resource%3A%2F%2Fbilling-api");
        assertThat(exchange.timeout()).isEqualTo(Duration.ofSeconds(30));
    }

    @Test
    void withoutResourcesTheErrorNamesTheSettings() {
        CaracalConfig config = CaracalConfig.builder()
                .zoneId("zone-1")
                .applicationId("app-1")
                .clientSecret("the-client-secret")
                .transport(platform)
                .build();
        StepVerifier.create(bearer(Caracal.create(config)))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(ConfigurationException.class)
                        .hasMessageContaining("CARACAL_RESOURCES")
                        .hasMessageContaining("[[credentials]]"))
                .verify(LIMIT);
        assertThat(platform.requests(r -> true)).isEmpty();
    }

    @Test
    void tenThousandSpawnsOnAColdCacheMakeOneExchange() {
        Caracal caracal = platform.client();
        platform.next(
                FakePlatform::isToken, real -> Mono.delay(Duration.ofMillis(20)).then(real));
        StepVerifier.create(Flux.range(0, 10_000)
                        .flatMap(i -> caracal.spawn(context -> Mono.just(i)), 10_000)
                        .count())
                .expectNext(10_000L)
                .expectComplete()
                .verify(Duration.ofSeconds(60));
        assertThat(platform.requests(FakePlatform::isToken)).hasSize(1);
        assertThat(platform.live()).isEmpty();
    }

    @Test
    void theResolverIsAskedForEachExchange() {
        AtomicInteger rotations = new AtomicInteger();
        CaracalConfig config = platform.config()
                .clientSecret(() -> Mono.fromSupplier(() -> "secret-" + rotations.incrementAndGet()))
                .build();
        platform.nextAnswer(FakePlatform::isOpen, 401, "{\"error\":\"identity_revoked\"}");
        StepVerifier.create(Caracal.create(config).spawn(context -> Mono.just(1)))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.requests(FakePlatform::isToken))
                .extracting(FakePlatform::body)
                .satisfiesExactly(
                        first -> assertThat(first).contains("client_secret=secret-1"),
                        second -> assertThat(second).contains("client_secret=secret-2"));
    }

    @Test
    void aResolverThatGivesNothingIsAnError() {
        CaracalConfig config = platform.config().clientSecret(Mono::empty).build();
        StepVerifier.create(bearer(Caracal.create(config)))
                .expectError(ConfigurationException.class)
                .verify(LIMIT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "  \n", "with\nbreak"})
    void aResolversSecretIsChecked(String secret) {
        CaracalConfig config =
                platform.config().clientSecret(() -> Mono.just(secret)).build();
        StepVerifier.create(bearer(Caracal.create(config)))
                .expectError(ConfigurationException.class)
                .verify(LIMIT);
        assertThat(platform.requests(FakePlatform::isToken)).isEmpty();
    }

    @Test
    void anExchangeIsOneAttempt() {
        for (Throwable lost : List.of(
                new TransportException(TransportException.Kind.TIMEOUT, "timeout", null),
                new TransportException(TransportException.Kind.CONNECT, "refused", null))) {
            int before = platform.requests(FakePlatform::isToken).size();
            platform.nextLost(FakePlatform::isToken, lost);
            StepVerifier.create(bearer(platform.client()))
                    .expectError(TransportException.class)
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isToken)).hasSize(before + 1);
        }
    }

    @Test
    void aWrongSecretIsADenialThatNamesTheSetting() {
        platform.nextAnswer(
                FakePlatform::isToken,
                401,
                "{\"error\":\"access_denied\",\"error_description\":\"invalid client credentials\",\"requestId\":\"r-1\"}");
        StepVerifier.create(bearer(platform.client()))
                .expectErrorSatisfies(e -> assertThat(e).isInstanceOfSatisfying(StsException.class, denied -> {
                    assertThat(denied.httpStatus()).isEqualTo(401);
                    assertThat(denied.requestId()).contains("r-1");
                    assertThat(denied.isRetryable()).isFalse();
                    assertThat(denied).hasMessageContaining("CARACAL_APP_CLIENT_SECRET");
                    assertThat(denied.getMessage()).doesNotContain("the-client-secret");
                }))
                .verify(LIMIT);
    }

    /** Unavailable is not denied. */
    @Test
    void anOutageIsRetryable() {
        platform.nextAnswer(FakePlatform::isToken, 503, "{\"error\":\"sts_unavailable\"}");
        StepVerifier.create(bearer(platform.client()))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(
                                CaracalException.class,
                                c -> assertThat(c.isRetryable()).isTrue()))
                .verify(LIMIT);
    }

    /** The response of the STS is checked, not trusted. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "null",
                "[]",
                "not json",
                "{}",
                "{\"access_token\":\"\"}",
                "{\"access_token\":5}",
                "{\"access_token\":\"t\",\"token_type\":\"mac\"}",
                "{\"access_token\":\"t\\nInjected: 1\",\"token_type\":\"Bearer\"}",
                "{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:saml2\"}",
                "{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":-5}",
                "{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":900,\"scope\":\"something:else\"}"
            })
    void aMalformedOrWrongTokenIsRefused(String body) {
        platform.nextAnswer(FakePlatform::isToken, 200, body);
        StepVerifier.create(bearer(platform.client()))
                .expectError(ProtocolException.class)
                .verify(LIMIT);
    }

    @ParameterizedTest
    @ValueSource(strings = {"\"expires_in\":\"900\",", "\"expires_in\":900,", "\"expires_in\":1,"})
    void theLifetimeMayBeANumberOrAText(String expiresIn) {
        platform.nextAnswer(
                FakePlatform::isToken, 200, "{\"access_token\":\"t\"," + expiresIn + "\"token_type\":\"Bearer\"}");
        Caracal caracal = platform.client();
        StepVerifier.create(bearer(caracal).then(bearer(caracal)))
                .expectNext("Bearer t")
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.requests(FakePlatform::isToken)).hasSize(1);
    }

    @Test
    void withoutALifetimeTheTokenIsUsedOnce() {
        platform.nextAnswer(FakePlatform::isToken, 200, "{\"access_token\":\"t\",\"token_type\":\"Bearer\"}");
        Caracal caracal = platform.client();
        StepVerifier.create(bearer(caracal).then(bearer(caracal)))
                .expectNext("Bearer token-1")
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void aStaticTokenIsUsedWithoutAnyExchange() {
        CaracalConfig config = CaracalConfig.builder()
                .zoneId("zone-1")
                .applicationId("app-1")
                .subjectToken("static-token")
                .transport(platform)
                .build();
        Caracal caracal = Caracal.create(config);
        StepVerifier.create(bearer(caracal))
                .expectNext("Bearer static-token")
                .expectComplete()
                .verify(LIMIT);
        platform.nextAnswer(FakePlatform::isOpen, 401, "{\"error\":\"invalid_token\"}");
        StepVerifier.create(caracal.spawn(context -> Mono.just(1)))
                .expectErrorMatches(
                        e -> e instanceof CaracalException c && c.code().equals("invalid_token"))
                .verify(LIMIT);
        assertThat(platform.requests(FakePlatform::isToken)).isEmpty();
        assertThat(platform.requests(FakePlatform::isOpen))
                .as("the same token is not sent again")
                .hasSize(1);
    }

    /** Unknown fields and values are tolerated. */
    @Test
    void unknownFieldsAreTolerated() {
        platform.nextAnswer(
                FakePlatform::isToken,
                200,
                "{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":900,\"new\":{\"deep\":[1,null]}}");
        platform.next(
                FakePlatform::isOpen,
                real -> real.then(
                        Mono.just(
                                FakePlatform.answer(
                                        201,
                                        "{\"agent_session_id\":\"session-1\",\"status\":\"brand_new\",\"delegation_edge_id\":null,\"x\":[{}]}"))));
        StepVerifier.create(platform.client().spawn(context -> Mono.just(context.agentSessionId())))
                .expectNext("session-1")
                .expectComplete()
                .verify(LIMIT);
        assertThat(new CopyOnWriteArrayList<>(platform.ended())).containsExactly("session-1");
    }
}
