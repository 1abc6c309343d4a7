package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.tuple;
import static run.caracal.Calls.assertFails;
import static run.caracal.Calls.form;
import static run.caracal.test.FakePlatform.GATEWAY;
import static run.caracal.test.FakePlatform.LIMIT;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.error.AuthorityRevokedException;
import run.caracal.error.CaracalException;
import run.caracal.error.ClosedException;
import run.caracal.error.ConfigurationException;
import run.caracal.error.GatewayError.Origin;
import run.caracal.error.GatewayException;
import run.caracal.error.NoContextException;
import run.caracal.error.RoutingException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion.Outcome;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.test.FakePlatform;
import run.caracal.test.Logged;

/** One call of a protected resource, sent by the SDK itself. */
class FetchTest {
    private static final String RESOURCE = "resource://billing-api";

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();
    private final FetchRequest charge = FetchRequest.builder(RESOURCE, "/charge?a=1")
            .json("{\"amount\":1}")
            .scopes("billing:charge")
            .build();

    private List<HttpRequest> calls() {
        return platform.requests(FakePlatform::isGateway);
    }

    private List<HttpRequest> mints() {
        return platform.requests(FakePlatform::isMint);
    }

    private void next(int status, Map<String, String> headers, String body) {
        platform.next(
                FakePlatform::isGateway,
                real -> Mono.just(new HttpResponse(status, headers, body.getBytes(StandardCharsets.UTF_8))));
    }

    private <T> Mono<T> inSession(Mono<T> work) {
        return caracal.spawn(session -> work);
    }

    private void assertRefused(FetchRequest request, Consumer<GatewayException> check) {
        StepVerifier.create(inSession(caracal.fetch(request)))
                .expectErrorSatisfies(e -> assertThat(e).isInstanceOfSatisfying(GatewayException.class, check))
                .verify(LIMIT);
    }

    private static void failing(Caracal client, FetchRequest request) {
        StepVerifier.create(client.spawn(session -> client.fetch(request)))
                .expectError(GatewayException.class)
                .verify(LIMIT);
    }

    @Nested
    class Calling {
        @Test
        void eachCallIsAnEventHoweverItEnds() {
            List<CaracalEvent.GatewayCall> calls = new CopyOnWriteArrayList<>();
            Disposable listening = caracal.onOperation((event, context) -> {
                if (event instanceof CaracalEvent.GatewayCall call) {
                    calls.add(call);
                }
            });
            next(200, Map.of(), "{}");
            StepVerifier.create(inSession(caracal.fetch(charge)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            next(503, Map.of(), "{}");
            assertRefused(charge, refused -> assertThat(refused.httpStatus()).isEqualTo(503));
            listening.dispose();
            assertThat(calls)
                    .extracting(
                            call -> call.completion().outcome(),
                            call -> call.completion().status())
                    .containsExactly(tuple(Outcome.SUCCESS, 200), tuple(Outcome.FAILURE, 503));
            assertThat(calls).extracting(CaracalEvent.GatewayCall::resource).containsOnly(RESOURCE);
        }

        @Test
        void theCallCarriesAMandateOfItsOwnAndWhatTheCallerHasSet() {
            Mono<HttpResponse> call = inSession(caracal.fetch(charge.mutate()
                    .header("Accept", "text/plain")
                    .timeout(Duration.ofSeconds(7))
                    .build()));
            assertThat(platform.requests(r -> true)).isEmpty();
            StepVerifier.create(call.repeat(1))
                    .assertNext(answer -> assertThat(answer.status()).isEqualTo(200))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(calls()).hasSize(2).allSatisfy(sent -> {
                assertThat(sent.method()).isEqualTo("POST");
                assertThat(sent.uri().toString()).isEqualTo(GATEWAY + "/charge?a=1");
                assertThat(sent.headers())
                        .containsEntry("X-Caracal-Resource", RESOURCE)
                        .containsEntry("Content-Type", "application/json")
                        .containsEntry("Accept", "text/plain");
                assertThat(FakePlatform.header(sent, "baggage")).contains("caracal.delegation_edge=");
                assertThat(FakePlatform.header(sent, "traceparent")).isNotBlank();
                assertThat(FakePlatform.body(sent)).isEqualTo("{\"amount\":1}");
                assertThat(sent.timeout()).isEqualTo(Duration.ofSeconds(7));
                assertThat(sent.maxResponseBytes()).isEqualTo(FetchRequest.DEFAULT_MAX_RESPONSE_BYTES);
            });
            assertThat(calls())
                    .extracting(r -> FakePlatform.header(r, "Authorization"))
                    .doesNotHaveDuplicates();
            assertThat(calls())
                    .extracting(r -> FakePlatform.header(r, "X-Request-Id"))
                    .containsExactlyElementsOf(mints().stream()
                            .map(m -> FakePlatform.header(m, "X-Request-Id"))
                            .toList())
                    .doesNotHaveDuplicates();
        }

        @Test
        void scopesAreThoseOfTheGrantAndOfTheConfigurationToo() {
            Caracal configured = Caracal.create(platform.config()
                    .resourceScopes(RESOURCE, "billing:configured")
                    .build());
            FetchRequest plain = FetchRequest.of(RESOURCE, "/x");
            SpawnOptions narrow = SpawnOptions.builder()
                    .grant(Grant.narrow("billing:read").resource(RESOURCE))
                    .build();
            StepVerifier.create(configured.spawn(
                            s -> configured.fetch(plain).then(configured.spawn(narrow, c -> configured.fetch(plain)))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(mints())
                    .extracting(m -> form(m).get("scope"))
                    .containsExactly("billing:configured", "billing:read");
            assertThat(calls()).extracting(HttpRequest::method).containsOnly("GET");
            StepVerifier.create(configured.disposeLater()).expectComplete().verify(LIMIT);
        }

        @Test
        void theCallersRequestIdJoinsMintAndCall() {
            StepVerifier.create(inSession(
                            caracal.fetch(charge.mutate().requestId("mine").build())))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(FakePlatform.header(mints().get(0), "X-Request-Id")).isEqualTo("mine");
            assertThat(FakePlatform.header(calls().get(0), "X-Request-Id")).isEqualTo("mine");
        }

        /** Fails closed; as the application it goes with a mandate, or the token where no scopes are known. */
        @Test
        void outsideASessionOnlyTheApplicationItselfMayCall() {
            assertFails(caracal.fetch(charge), NoContextException.class, "asApplication");
            assertThat(platform.requests(r -> true)).isEmpty();
            StepVerifier.create(caracal.fetch(charge.mutate().asApplication().build()))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(mints()).hasSize(1);
            StepVerifier.create(caracal.fetch(
                            FetchRequest.builder(RESOURCE, "/x").asApplication().build()))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(mints()).hasSize(1);
            assertThat(FakePlatform.header(calls().get(1), "Authorization")).isEqualTo("Bearer token-1");
        }

        @Test
        void inProductionItNeedsNoChoiceOfPropagation() {
            Caracal production =
                    Caracal.create(platform.config().production(true).build());
            StepVerifier.create(production.spawn(s -> production.fetch(charge)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(production.disposeLater()).expectComplete().verify(LIMIT);
        }
    }

    @Nested
    class Requests {
        @Test
        void headersOfTheConnectionAreNotTheCallers() {
            for (String name : List.of("Upgrade", "TE", "Trailer", "Keep-Alive", "Proxy-Authorization", "Expect")) {
                assertThatThrownBy(() -> charge.mutate().header(name, "x"))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContaining(name);
            }
        }

        @ParameterizedTest
        @ValueSource(strings = {"//a", "/a//b", "/a//", "//"})
        void aPathThatTheGatewayRedirectsIsRefusedBeforeAnyCall(String path) {
            assertThatThrownBy(() -> caracal.fetch(FetchRequest.of(RESOURCE, path)))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThat(platform.requests(r -> true)).isEmpty();
        }

        @ParameterizedTest
        @ValueSource(
                strings = {
                    "/../x",
                    "/%2e%2e/x",
                    "/%252e%252e/x",
                    "/a\\b",
                    "//",
                    "/a b",
                    "/a\nb",
                    "/a#b",
                    "https://other/x",
                    "//other/x",
                    "/a|b",
                    "/a{b}",
                    "/a%zz"
                })
        void aPathThatCannotBeUsedIsRefusedAtOnceAndNotShown(String path) {
            assertThatThrownBy(() -> caracal.fetch(FetchRequest.of(RESOURCE, path + "?secret=1")))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("path")
                    .hasMessageNotContaining("secret");
        }

        @Test
        void badInput_headersOfTheSdkMethodsAndLimits() {
            FetchRequest.Builder request = FetchRequest.builder(RESOURCE, "/x");
            for (String name : List.of(
                    "Authorization",
                    "X-CARACAL-Resource",
                    "x-caracal-client-id",
                    "Host",
                    "Content-Length",
                    "transfer-encoding",
                    "X-Request-Id",
                    "a b",
                    "")) {
                assertThatThrownBy(() -> request.header(name, "secret-value"))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageStartingWith("header: ")
                        .hasMessageNotContaining("secret-value");
            }
            assertThatThrownBy(() -> request.header("Accept", "secret\r\nX: y"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageNotContaining("secret");
            for (String method : List.of("", "GET /", "CONNECT", "trace")) {
                assertThatThrownBy(() -> request.method(method)).isInstanceOf(IllegalArgumentException.class);
            }
            for (Duration timeout : List.of(Duration.ZERO, Duration.ofSeconds(-1), Duration.ofHours(2))) {
                assertThatThrownBy(() -> request.timeout(timeout)).isInstanceOf(IllegalArgumentException.class);
            }
            for (int bytes : new int[] {-1, FetchRequest.MAX_RESPONSE_BYTES + 1}) {
                assertThatThrownBy(() -> request.maxResponseBytes(bytes)).isInstanceOf(IllegalArgumentException.class);
            }
            for (String id : List.of("", "a b", "x".repeat(129), "a\nb")) {
                assertThatThrownBy(() -> request.requestId(id)).isInstanceOf(IllegalArgumentException.class);
            }
            assertThatThrownBy(() -> request.scopes()).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> request.approvalId("..")).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> FetchRequest.of("a b", "/x")).isInstanceOf(IllegalArgumentException.class);
        }

        @Test
        void aRequestIsImmutableAndShowsNoSecret() {
            byte[] body = {1, 2, 3};
            FetchRequest plain = FetchRequest.of(RESOURCE, "/x?token=secret");
            FetchRequest posted = plain.mutate()
                    .body(body, "application/octet-stream")
                    .header("accept", "a")
                    .build();
            body[0] = 9;
            FetchRequest other =
                    posted.mutate().header("ACCEPT", "secret").method("put").build();
            assertThat(plain.method()).isEqualTo("GET");
            assertThat(posted.method()).isEqualTo("POST");
            assertThat(other.method()).isEqualTo("PUT");
            assertThat(posted.headers()).containsEntry("Accept", "a").hasSize(2);
            assertThat(other.headers()).containsEntry("accept", "secret").hasSize(2);
            assertThat(posted.spec().body()).isEqualTo(ByteBuffer.wrap(new byte[] {1, 2, 3}));
            assertThat(posted.mutate().build()).isEqualTo(posted).hasSameHashCodeAs(posted);
            assertThat(posted.mutate().body(body, "application/octet-stream").build())
                    .isNotEqualTo(posted);
            assertThat(other.toString()).contains("PUT", RESOURCE, "/x").doesNotContain("secret");
            assertThatThrownBy(() -> other.headers().put("a", "b")).isInstanceOf(UnsupportedOperationException.class);
        }
    }

    @Nested
    class Answers {
        @Test
        void aRedirectOfTheUpstreamIsAResultAndNotFollowed() {
            next(302, Map.of("Location", "/elsewhere", "X-Caracal-Token-Expires-In", "800"), "");
            StepVerifier.create(inSession(caracal.fetch(charge)))
                    .assertNext(answer -> {
                        assertThat(answer.status()).isEqualTo(302);
                        assertThat(answer.header("location")).contains("/elsewhere");
                    })
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(calls()).hasSize(1);
        }

        @ParameterizedTest
        @ValueSource(ints = {301, 302, 307, 308})
        void aRedirectOfTheGatewayIsAnErrorAndNotFollowed(int status) {
            next(status, Map.of("Location", "/b", "X-Request-Id", "r-3"), "<a href=\"/b\">Moved</a>.");
            assertRefused(charge, e -> {
                assertThat(e.origin()).isEqualTo(Origin.GATEWAY);
                assertThat(e.httpStatus()).isEqualTo(status);
                assertThat(e.requestId()).contains("r-3");
                assertThat(e.isRetryable()).isFalse();
                assertThat(e).hasMessageContaining("no redirect is followed");
            });
            assertThat(calls()).hasSize(1);
        }

        @Test
        void anAnswerThatWasCutOffIsNoSuccess() {
            platform.next(
                    FakePlatform::isGateway,
                    real -> Mono.just(new HttpResponse(
                            200, Map.of("X-Request-Id", "r-cut"), new byte[130], Map.of("x-caracal-revoked", "true"))));
            StepVerifier.create(inSession(caracal.fetch(charge)))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(AuthorityRevokedException.class, cut -> {
                                assertThat(cut.resource()).isEqualTo(RESOURCE);
                                assertThat(cut.requestId()).contains("r-cut");
                            })
                            .hasMessageContaining("may be incomplete"))
                    .verify(LIMIT);
            assertThat(calls()).hasSize(1);
        }

        @ParameterizedTest
        @CsvSource({"401, false", "403, false", "404, false", "408, true", "429, true", "500, true", "503, true"})
        void whatTheUpstreamSaysIsNotTakenForTheGateways(int status, boolean retryable) {
            next(
                    status,
                    Map.of("X-Caracal-Token-Expires-In", "800", "X-Request-Id", "r-1", "Retry-After", "7"),
                    "{\"error\":\"invalid_token\",\"error_description\":\"invalid subject_token\"}");
            assertRefused(charge, e -> {
                assertThat(e.origin()).isEqualTo(Origin.UPSTREAM);
                assertThat(e.httpStatus()).isEqualTo(status);
                assertThat(e.code()).isEqualTo("upstream_status");
                assertThat(e.description()).contains("invalid subject_token");
                assertThat(e.requestId()).contains("r-1");
                assertThat(e.retryAfter()).contains(Duration.ofSeconds(7));
                assertThat(e.isRetryable()).isEqualTo(retryable);
                assertThat(e).hasMessageStartingWith("The upstream answered " + status);
                assertThat(new String(e.body(), StandardCharsets.UTF_8)).contains("invalid subject_token");
                assertThat(e).hasMessageContaining("invalid subject_token").hasMessageNotContaining("mandate");
            });
            assertThat(calls()).hasSize(1);
            assertThat(mints()).hasSize(1);
        }

        @ParameterizedTest
        @CsvSource(
                delimiter = '|',
                value = {
                    "401 | invalid_token | token replay detected | new one | true",
                    "401 | invalid_token | invalid subject_token | one-shot mandate | false",
                    "401 | invalid_token | session revoked | | false",
                    "403 | access_denied | policy denied | policy | true",
                    "403 | sts_unavailable | trusted time unavailable | | true",
                    "503 | sts_unavailable | sts unavailable | | true",
                    "504 | internal_error | upstream timeout | | true",
                    "413 | payload_too_large | request body too large | | false",
                })
        void whatTheGatewaySaysIsTypedWithAHintAndNeverRepeated(
                int status, String code, String description, @Nullable String hint, boolean retryable) {
            next(
                    status,
                    Map.of(),
                    "{\"error\":\"" + code + "\",\"error_description\":\"" + description + "\",\"requestId\":\"r-9\"}");
            assertRefused(charge, e -> {
                assertThat(e.origin()).isEqualTo(Origin.GATEWAY);
                assertThat(e.httpStatus()).isEqualTo(status);
                assertThat(e.code()).isEqualTo(code);
                assertThat(e.description()).isEqualTo(description);
                assertThat(e.requestId()).contains("r-9");
                assertThat(e.isRetryable()).isEqualTo(retryable);
                assertThat(e)
                        .hasMessageStartingWith("The Gateway answered " + status + " " + code)
                        .hasMessageContaining(hint == null ? "r-9" : hint);
            });
            // No loop, and no bearer twice.
            assertThat(calls()).hasSize(1);
            assertThat(mints()).hasSize(1);
        }

        @Test
        void noAnswerIsNeitherADenialNorRepeated() {
            platform.nextLost(
                    FakePlatform::isGateway, new TransportException(TransportException.Kind.TIMEOUT, "too late", null));
            assertFails(inSession(caracal.fetch(charge)), TransportException.class, "too late");
            assertThat(calls()).hasSize(1);
        }
    }

    @Nested
    class Messages {
        @Test
        void anyBodyKeepsTheStatusAndStaysOutOfTheMessage() {
            for (String body :
                    List.of("", "null", "[]", "<html>secret-page", "{\"error\":5}", "{", "x".repeat(1_000_000))) {
                next(502, Map.of(), body);
                assertRefused(charge, e -> {
                    assertThat(e.httpStatus()).isEqualTo(502);
                    assertThat(e.toString())
                            .contains("502")
                            .doesNotContain("secret-page")
                            .hasSizeLessThan(2_000);
                    assertThat(e.body()).hasSize(body.length());
                });
            }
        }

        /** The message is one line of bounded length, without apparent secrets or binary data. */
        @Test
        void theMessageHoldsTheBeginningOfWhatTheUpstreamSaid() {
            Map<String, String> upstream = Map.of("X-Caracal-Token-Expires-In", "800");
            next(500, upstream, "{\"detail\":\"no stock\",\r\n\"password\":\"hunter2\",\"apiKey\": \"hunter3\"}");
            assertRefused(
                    charge,
                    e -> assertThat(e)
                            .hasMessageStartingWith(
                                    "The upstream answered 500 upstream_status: {\"detail\":\"no stock\",")
                            .hasMessageNotContaining("hunter")
                            .hasMessageNotContaining("\n"));
            next(500, upstream, "x".repeat(1_000_000));
            assertRefused(charge, e -> {
                assertThat(e.description()).startsWith("xxx").endsWith("…").hasSizeLessThan(600);
                assertThat(e.body()).hasSize(1_000_000);
            });
            next(500, upstream, "\u001f\u008b\u0008 compressed");
            assertRefused(charge, e -> assertThat(e.description()).isEmpty());
            next(500, upstream, "");
            assertRefused(charge, e -> assertThat(e).hasMessage("The upstream answered 500 upstream_status."));
            platform.next(
                    FakePlatform::isGateway,
                    real -> Mono.fromSupplier(() -> new HttpResponse(
                            500,
                            upstream,
                            Objects.requireNonNull(
                                            FakePlatform.header(calls().get(calls().size() - 1), "Authorization"))
                                    .getBytes(StandardCharsets.UTF_8))));
            assertRefused(
                    charge,
                    e -> assertThat(e).hasMessageContaining("[redacted]").hasMessageNotContaining("token-"));
        }

        /** The warning appears once per resource, and only if the Gateway itself has rejected the application token. */
        @Test
        void thatAResourceHasNoScopesIsSaidAtItsFirst401() {
            Caracal two = Caracal.create(platform.config()
                    .resource("resource://ledger", "https://ledger.example.com")
                    .build());
            FetchRequest plain = FetchRequest.of(RESOURCE, "/x");
            String refusal = "{\"error\":\"invalid_token\",\"error_description\":\"invalid subject_token\"}";
            String logged = Logged.during(() -> {
                next(403, Map.of(), refusal);
                failing(two, plain);
                next(401, Map.of("X-Caracal-Token-Expires-In", "800"), refusal);
                failing(two, plain);
                next(401, Map.of(), refusal);
                failing(two, charge);
                for (FetchRequest call : List.of(plain, plain, FetchRequest.of("resource://ledger", "/x"))) {
                    next(401, Map.of(), refusal);
                    failing(two, call);
                }
            });
            assertThat(logged.lines().filter(line -> line.contains("No scopes are known")))
                    .hasSize(2)
                    .allSatisfy(line -> assertThat(line)
                            .contains("WARN", "CARACAL_RESOURCE_SCOPES", "profile", "resource(id, prefix, scopes...)"))
                    .satisfiesExactly(
                            line -> assertThat(line).contains(RESOURCE),
                            line -> assertThat(line).contains("resource://ledger"));
            StepVerifier.create(two.disposeLater()).expectComplete().verify(LIMIT);
        }

        @Test
        void theBearerIsNotRepeatedInTheMessage() {
            platform.next(
                    FakePlatform::isGateway,
                    real -> Mono.fromSupplier(() -> {
                        String bearer = Objects.requireNonNull(FakePlatform.header(calls().get(0), "Authorization"));
                        return FakePlatform.answer(
                                401,
                                "{\"error\":\"invalid_token\",\"error_description\":\"malformed " + bearer + "\"}");
                    }));
            assertRefused(
                    charge, e -> assertThat(e).hasMessageContaining("malformed").hasMessageNotContaining("token-2"));
        }
    }

    @Nested
    class Refusing {
        /** A call with its own scopes needs no configuration: the client does not know the grants of the platform. */
        @Test
        void aResourceThatIsNotConfiguredIsNamedWithThoseThatAre() {
            FetchRequest unknown = FetchRequest.of("resource://nope", "/x");
            for (Mono<HttpResponse> call : List.of(
                    inSession(caracal.fetch(unknown)),
                    caracal.fetch(unknown.mutate().asApplication().build()))) {
                assertFails(
                        call,
                        RoutingException.class,
                        "resource://nope",
                        "not configured",
                        RESOURCE,
                        "CARACAL_RESOURCES");
            }
            assertFails(
                    inSession(caracal.mintMandate("resource://nope").then(Mono.empty())),
                    ConfigurationException.class,
                    "resource://nope",
                    "not configured",
                    RESOURCE);
            assertThatThrownBy(() -> caracal.applicationTransport("resource://nope"))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("not configured")
                    .hasMessageContaining(RESOURCE);
            assertThat(calls()).isEmpty();
            assertThat(mints()).isEmpty();
            StepVerifier.create(
                            inSession(caracal.fetch(unknown.mutate().scopes("a").build())))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            SpawnOptions narrow = SpawnOptions.builder()
                    .grant(Grant.narrow("a").resource("resource://nope"))
                    .build();
            StepVerifier.create(caracal.spawn(parent -> caracal.spawn(narrow, child -> caracal.fetch(unknown))))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void withoutCredentialsOrScopesNothingIsSent() {
            Caracal fixed = Caracal.create(CaracalConfig.builder()
                    .zoneId("zone-1")
                    .applicationId("app-1")
                    .subjectToken("static-token")
                    .coordinatorUrl("https://coordinator.example.com")
                    .gatewayUrl(GATEWAY)
                    .transport(platform)
                    .build());
            assertFails(
                    fixed.spawn(session -> fixed.fetch(charge)),
                    ConfigurationException.class,
                    "CARACAL_APP_CLIENT_SECRET");
            assertFails(
                    fixed.fetch(charge.mutate().asApplication().build()),
                    ConfigurationException.class,
                    "CARACAL_APP_CLIENT_SECRET");
            StepVerifier.create(fixed.disposeLater()).expectComplete().verify(LIMIT);
            // An approval is for a mandate: without scopes there is none.
            assertFails(
                    inSession(caracal.fetch(FetchRequest.builder(RESOURCE, "/x")
                            .approvalId("approval-1")
                            .build())),
                    ConfigurationException.class,
                    "scopes",
                    RESOURCE);
            assertThat(calls()).isEmpty();
        }

        @Test
        void aClosedClientSendsNothing() {
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            assertFails(caracal.fetch(charge), ClosedException.class);
            assertThat(platform.requests(r -> true)).isEmpty();
            assertThat(platform.isDisposed()).isFalse();
        }

        /** A caller's onErrorContinue must not turn a refusal into nothing. */
        @Test
        void aRefusalIsNoSilence() {
            StepVerifier.create(caracal.fetch(charge).onErrorContinue((e, v) -> {}))
                    .expectError(CaracalException.class)
                    .verify(LIMIT);
        }
    }

    @Nested
    class Minting {
        @ParameterizedTest
        @CsvSource(
                delimiter = '|',
                value = {
                    "401 | access_denied | approval not found or bindings do not match | without it",
                    "409 | approval_consumed | approval already used | without it",
                    "403 | access_denied | policy denied (no_rule_matched) | Grant.narrow",
                    "403 | access_denied | policy denied (role_scope_mismatch) | label",
                    "403 | access_denied | delegation constraints invalid | budget",
                    "403 | access_denied | policy denied | CARACAL_RESOURCES",
                })
        void whatTheMandateMeetsIsTheCallsError(int status, String code, String description, String hint) {
            platform.nextAnswer(
                    FakePlatform::isMint,
                    status,
                    "{\"error\":\"" + code + "\",\"error_description\":\"" + description + "\"}");
            assertFails(
                    inSession(caracal.fetch(
                            charge.mutate().approvalId("approval-1").build())),
                    StsException.class,
                    hint);
            assertThat(form(mints().get(0))).containsEntry("approval_id", "approval-1");
            assertThat(calls()).isEmpty();
        }

        @Test
        void withApprovalPresentsWhatAPersonApproved() {
            platform.nextAnswer(
                    FakePlatform::isMint,
                    401,
                    "{\"error\":\"interaction_required\",\"approval_type\":\"human_approval\",\"approval_id\":\"approval-1\"}");
            platform.nextAnswer(FakePlatform::isApproval, 200, "{\"id\":\"approval-1\",\"state\":\"approved\"}");
            Mono<HttpResponse> call = caracal.withApproval(id -> caracal.fetch(
                    id.map(approval -> charge.mutate().approvalId(approval).build())
                            .orElse(charge)));
            StepVerifier.create(inSession(call))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(mints()).extracting(m -> form(m).get("approval_id")).containsExactly(null, "approval-1");
            assertThat(calls()).hasSize(1);
            platform.nextAnswer(
                    FakePlatform::isMint,
                    401,
                    "{\"error\":\"interaction_required\",\"approval_type\":\"human_approval\",\"approval_id\":\"approval-2\"}");
            assertFails(inSession(caracal.fetch(charge)), ApprovalRequiredException.class);
            assertThat(calls()).hasSize(1);
        }
    }
}
