package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static run.caracal.test.FakePlatform.BILLING;
import static run.caracal.test.FakePlatform.GATEWAY;
import static run.caracal.test.FakePlatform.LIMIT;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.error.ClosedException;
import run.caracal.error.ConfigurationException;
import run.caracal.error.NoContextException;
import run.caracal.error.RoutingException;
import run.caracal.http.HttpResponse;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundHeaders;
import run.caracal.http.OutboundPolicy;
import run.caracal.http.Propagation;
import run.caracal.http.TransportOptions;
import run.caracal.test.FakePlatform;
import run.caracal.test.Logged;

class OutboundTest {
    private static final String OTHER = "https://other.example.com/x";

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    /** The headers of a request that is about to leave. */
    private static final class Headers implements OutboundHeaders {
        final Map<String, List<String>> values = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);

        static Headers of(String... namesAndValues) {
            Headers headers = new Headers();
            IntStream.range(0, namesAndValues.length / 2)
                    .forEach(i -> headers.values
                            .computeIfAbsent(namesAndValues[2 * i], name -> new ArrayList<>())
                            .add(namesAndValues[2 * i + 1]));
            return headers;
        }

        @Override
        public List<String> getAll(String name) {
            return values.getOrDefault(name, List.of());
        }

        @Override
        public void set(String name, String value) {
            values.put(name, List.of(value));
        }

        @Override
        public void remove(String name) {
            values.remove(name);
        }

        @Nullable
        String one(String name) {
            List<String> all = getAll(name);
            assertThat(all).as(name).hasSizeLessThanOrEqualTo(1);
            return all.isEmpty() ? null : all.get(0);
        }
    }

    private static Mono<OutboundDecision> resolve(OutboundPolicy policy, String url, @Nullable String resource) {
        return Mono.deferContextual(view -> policy.resolve(url, resource, view));
    }

    private OutboundDecision inSession(OutboundPolicy policy, String url, @Nullable String resource) {
        return Objects.requireNonNull(
                caracal.spawn(context -> resolve(policy, url, resource)).block(LIMIT));
    }

    private OutboundDecision inSession(String url) {
        return inSession(caracal.outbound(), url, null);
    }

    private static OutboundPolicy toOther(Caracal client) {
        return client.outbound(
                TransportOptions.defaults().withPropagation(Propagation.origins("https://other.example.com")));
    }

    private OutboundDecision inSessionToOther() {
        return inSession(toOther(caracal), OTHER, null);
    }

    private static Headers edited(OutboundDecision call, String... namesAndValues) {
        Headers headers = Headers.of(namesAndValues);
        call.edit(headers);
        return headers;
    }

    @Nested
    class Identity {
        @Test
        void aRequestUnderABindingGoesToTheGatewayWithTheSessionsIdentity() {
            OutboundDecision call = inSession(BILLING + "/charge?a=1");
            assertThat(call.url()).isEqualTo(GATEWAY + "/charge?a=1");
            assertThat(call.carriesIdentity()).isTrue();
            Headers headers = edited(call);
            assertThat(headers.one("Authorization")).isEqualTo("Bearer token-1");
            assertThat(headers.one("X-Caracal-Resource")).isEqualTo("resource://billing-api");
            assertThat(headers.one("baggage")).contains("caracal.agent_session=session-1");
            assertThat(headers.one("traceparent")).matches("00-[0-9a-f]{32}-[0-9a-f]{16}-01");
            assertThat(headers.one("X-Request-Id")).isNotBlank();
        }

        @Test
        void asApplicationActsOutsideASessionOnly() {
            OutboundPolicy policy = caracal.outbound(
                    TransportOptions.defaults().withAsApplication().withPropagation(Propagation.everywhere()));
            OutboundDecision call =
                    Objects.requireNonNull(resolve(policy, OTHER, null).block(LIMIT));
            Headers headers = edited(call);
            assertThat(headers.one("Authorization")).isEqualTo("Bearer token-1");
            assertThat(headers.one("baggage")).isNull();
            assertThat(edited(inSession(policy, OTHER, null)).one("baggage")).contains("caracal.agent_session");
        }

        @Test
        void towardsTheGatewayAuthorizationIsOurs_elsewhereTheCallersStays() {
            assertThat(edited(inSession(BILLING + "/charge"), "authorization", "Basic caller")
                            .one("Authorization"))
                    .isEqualTo("Bearer token-1");
            assertThat(edited(inSessionToOther(), "authorization", "Basic caller")
                            .one("Authorization"))
                    .isEqualTo("Basic caller");
        }

        @Test
        void aValidTraceparentAndOtherBaggageAreKeptAndNothingIsDoubled() {
            String trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
            OutboundDecision call = inSession(BILLING + "/charge");
            Headers headers = Headers.of(
                    "traceparent", trace, "baggage", "tenant=a,caracal.agent_session=forged", "X-Request-Id", "mine");
            call.edit(headers);
            call.edit(headers);
            assertThat(headers.one("traceparent")).isEqualTo(trace);
            assertThat(headers.one("baggage"))
                    .contains("tenant=a", "caracal.agent_session=session-1")
                    .doesNotContain("forged");
            assertThat(headers.one("X-Request-Id")).isEqualTo("mine");
        }

        /** Many users, one client, one token, and each request its own session. */
        @Test
        void manySessionsAtOnceNeverMix() {
            Flux<String> wrong = Flux.range(0, 500)
                    .flatMap(
                            i -> caracal.spawn(context -> resolve(toOther(caracal), OTHER, null)
                                    .map(call ->
                                            Objects.requireNonNull(edited(call).one("baggage")))
                                    .filter(baggage -> !baggage.contains("=" + context.agentSessionId() + ",")
                                            && !baggage.endsWith("=" + context.agentSessionId()))),
                            64);
            StepVerifier.create(wrong).expectComplete().verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isToken)).hasSize(1);
        }

        @Test
        void headersCarryTheBoundContext() {
            StepVerifier.create(caracal.spawn(context -> caracal.headers()))
                    .assertNext(headers -> {
                        assertThat(headers)
                                .containsEntry("Authorization", "Bearer token-1")
                                .hasSize(3);
                        assertThat(headers.toString()).contains("caracal.agent_session=session-1", "traceparent");
                    })
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(caracal.headers())
                    .expectErrorSatisfies(e -> assertThat(e).isInstanceOf(NoContextException.class))
                    .verify(LIMIT);
            StepVerifier.create(caracal.headersAsApplication())
                    .assertNext(headers ->
                            assertThat(headers).doesNotContainKey("baggage").containsKey("Authorization"))
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void noTokenInAnyToString() {
            OutboundDecision call = inSession(BILLING + "/charge");
            assertThat(call.toString() + caracal + caracal.outbound())
                    .doesNotContain("token-1")
                    .doesNotContain("the-client-secret");
            HttpResponse answer = FakePlatform.answer(200, "{\"access_token\":\"token-1\"}");
            assertThat(answer.toString()).doesNotContain("token-1");
            assertThat(platform.requests(r -> true).toString())
                    .doesNotContain("token-1")
                    .doesNotContain("the-client-secret");
        }
    }

    @Nested
    class Propagating {
        /** The same client may call third parties: they get no identity, inside a session and outside. */
        @Test
        void unlessChosenAnotherOriginGetsNoIdentityAndTheLogSaysSoOnce() {
            String logged = Logged.during(() -> {
                for (boolean production : new boolean[] {false, true}) {
                    Caracal client = Caracal.create(
                            platform.config().production(production).build());
                    OutboundPolicy policy = client.outbound();
                    for (String url : List.of(OTHER, OTHER + "?again", "http://third.example.com/x")) {
                        for (Mono<OutboundDecision> call : List.of(
                                resolve(policy, url, null), client.spawn(context -> resolve(policy, url, null)))) {
                            StepVerifier.create(call)
                                    .assertNext(decision -> {
                                        assertThat(decision.carriesIdentity()).isFalse();
                                        assertThat(decision.url()).isEqualTo(url);
                                        assertThat(edited(decision, "Authorization", "Basic caller").values)
                                                .isEqualTo(Map.of("Authorization", List.of("Basic caller")));
                                    })
                                    .expectComplete()
                                    .verify(LIMIT);
                        }
                    }
                    StepVerifier.create(client.disposeLater()).expectComplete().verify(LIMIT);
                }
            });
            assertThat(logged.lines().filter(line -> line.contains("pass without an identity")))
                    .as("two origins of two clients")
                    .hasSize(4)
                    .allMatch(line -> line.contains("INFO") && line.contains("Propagation.origins(...)"));
        }

        @Test
        void everywhereIsWarnedAboutOnceForEachNewOriginInProductionToo() {
            String logged = Logged.during(() -> {
                for (boolean production : new boolean[] {false, true}) {
                    Caracal client = Caracal.create(platform.config()
                            .production(production)
                            .propagation(Propagation.everywhere())
                            .build());
                    OutboundPolicy policy = client.outbound();
                    for (String url : List.of(OTHER, OTHER + "?again", "https://third.example.com/x")) {
                        StepVerifier.create(client.spawn(context -> resolve(policy, url, null)))
                                .assertNext(call ->
                                        assertThat(call.carriesIdentity()).isTrue())
                                .expectComplete()
                                .verify(LIMIT);
                    }
                    StepVerifier.create(client.disposeLater()).expectComplete().verify(LIMIT);
                }
            });
            assertThat(logged.lines().filter(line -> line.contains("carry the application's token")))
                    .as("two origins of two clients")
                    .hasSize(4)
                    .allMatch(line -> line.contains("WARN"));
        }

        /** A request that gets no identity stays unchanged. */
        @Test
        void propagationLimitsWhereIdentityGoes() {
            record Row(Propagation propagation, String url, boolean identity) {}
            List<Row> rows = List.of(
                    new Row(Propagation.everywhere(), OTHER, true),
                    new Row(Propagation.gatewayOnly(), OTHER, false),
                    new Row(Propagation.gatewayOnly(), BILLING + "/charge", false),
                    new Row(Propagation.gatewayOnly(), GATEWAY + "/charge", true),
                    new Row(Propagation.resources(), OTHER, false),
                    new Row(Propagation.resources(), BILLING + "/charge", true),
                    new Row(Propagation.resources(), GATEWAY + "/charge", true),
                    new Row(Propagation.origins("https://other.example.com"), OTHER, true),
                    new Row(Propagation.origins("https://other.example.com"), "https://third.example.com/", false),
                    new Row(Propagation.origins("https://other.example.com"), BILLING + "/charge", true));
            for (Row row : rows) {
                OutboundPolicy policy =
                        caracal.outbound(TransportOptions.defaults().withPropagation(row.propagation()));
                OutboundDecision call = inSession(policy, row.url(), null);
                assertThat(call.carriesIdentity()).as("%s", row).isEqualTo(row.identity());
                if (!row.identity()) {
                    Headers headers = edited(call, "baggage", "tenant=a");
                    assertThat(headers.values).as("%s", row).containsOnlyKeys("baggage");
                }
            }
            // A request that gets no identity needs no context either.
            StepVerifier.create(resolve(
                            caracal.outbound(TransportOptions.defaults().withPropagation(Propagation.resources())),
                            OTHER,
                            null))
                    .assertNext(call -> assertThat(call.carriesIdentity()).isFalse())
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void inProductionPlainHttpCarriesNoIdentity() {
            Caracal production =
                    Caracal.create(platform.config().production(true).build());
            assertThatThrownBy(() -> production.outbound(TransportOptions.defaults()
                            .withPropagation(Propagation.origins("http://other.example.com"))))
                    .as("known when the client is decorated")
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("propagation")
                    .hasMessageContaining("https");
            assertThat(production.outbound(TransportOptions.defaults()
                            .withPropagation(Propagation.origins("https://other.example.com", "http://localhost:9"))))
                    .isNotNull();
            OutboundPolicy chosen =
                    production.outbound(TransportOptions.defaults().withPropagation(Propagation.everywhere()));
            StepVerifier.create(production.spawn(context -> resolve(chosen, "http://other.example.com/", null)))
                    .expectErrorSatisfies(e ->
                            assertThat(e).isInstanceOf(RoutingException.class).hasMessageContaining("https"))
                    .verify(LIMIT);
            for (String loopback : List.of("http://127.0.0.1:9/", "http://localhost:9/", "http://[::1]:9/")) {
                StepVerifier.create(production.spawn(context -> resolve(chosen, loopback, null)))
                        .expectNextCount(1)
                        .expectComplete()
                        .verify(LIMIT);
            }
            StepVerifier.create(production.spawn(context -> resolve(chosen, "http://127.evil.example.com/", null)))
                    .expectError(RoutingException.class)
                    .verify(LIMIT);
            StepVerifier.create(production.disposeLater()).expectComplete().verify(LIMIT);
        }
    }

    @Nested
    class Resources {
        @Test
        void theResourceHeaderSelectsAndLeavesOnlyTowardsTheGateway() {
            OutboundDecision call = inSession(GATEWAY + "/charge");
            assertThat(edited(call, "x-caracal-resource", "resource://billing-api")
                            .one("X-Caracal-Resource"))
                    .isEqualTo("resource://billing-api");
            assertThatThrownBy(() -> edited(call))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("gatewayRequest");
            assertThatThrownBy(() -> edited(call, "x-caracal-resource", "resource://unknown"))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("CARACAL_RESOURCES");
            assertThatThrownBy(() -> edited(
                            call, "x-caracal-resource", "resource://billing-api", "x-caracal-resource", "resource://b"))
                    .isInstanceOf(RoutingException.class);
            assertThat(edited(inSessionToOther(), "x-caracal-resource", "resource://billing-api")
                            .one("X-Caracal-Resource"))
                    .isNull();
        }

        @Test
        void aResourceFromGatewayRequestIsAccepted() {
            GatewayRequest request = caracal.gatewayRequest("resource://unbound", "/x");
            assertThat(edited(inSession(request.url()), "x-caracal-resource", "resource://unbound")
                            .one("X-Caracal-Resource"))
                    .isEqualTo("resource://unbound");
        }

        @Test
        void anUnknownResourceIsRefusedBeforeAnyCall() {
            StepVerifier.create(resolve(caracal.outbound(), OTHER, "resource://unknown"))
                    .expectError(RoutingException.class)
                    .verify(LIMIT);
            assertThat(platform.requests(r -> true)).isEmpty();
        }

        @Test
        void aResourceNamedTooLateIsRefused() {
            OutboundDecision call = inSession(BILLING + "/charge");
            Headers late = Headers.of("x-caracal-resource", "resource://late");
            assertThat(caracal.gatewayRequest("resource://late", "/").url()).isNotBlank();
            assertThatThrownBy(() -> call.edit(late))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("too late");
        }

        @Test
        void aResourceThatTheTokenDoesNotCoverFailsAlone() {
            platform.next(
                    FakePlatform::isToken,
                    real -> Mono.just(FakePlatform.answer(
                            200,
                            "{\"access_token\":\"partial\",\"token_type\":\"Bearer\",\"expires_in\":900,"
                                    + "\"target_resources\":[\"resource://other\"]}")));
            Caracal two = Caracal.create(platform.config()
                    .resource("resource://other", "https://granted.example.com")
                    .build());
            StepVerifier.create(two.spawn(context -> resolve(two.outbound(), BILLING + "/charge", null)))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOf(RoutingException.class)
                            .hasMessageContaining("resource://billing-api"))
                    .verify(LIMIT);
            StepVerifier.create(two.spawn(context -> resolve(two.outbound(), "https://granted.example.com/x", null)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(two.disposeLater()).expectComplete().verify(LIMIT);
        }

        @Test
        void aConfiguredResourceWithoutABindingIsKnownAtTheGateway() {
            Caracal unbound = Caracal.create(platform.config()
                    .resourceIds("resource://billing-api", "resource://unbound")
                    .build());
            StepVerifier.create(unbound.spawn(context -> resolve(unbound.outbound(), GATEWAY + "/x", null)
                            .map(call -> Objects.requireNonNull(edited(call, "x-caracal-resource", "resource://unbound")
                                    .one("X-Caracal-Resource")))))
                    .expectNext("resource://unbound")
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(unbound.disposeLater()).expectComplete().verify(LIMIT);
        }
    }

    @Nested
    class Refusing {
        /** Fails closed. */
        @Test
        void withoutAContextNothingIsResolved() {
            for (String url : new String[] {BILLING + "/charge", GATEWAY + "/charge", OTHER}) {
                StepVerifier.create(resolve(toOther(caracal), url, null))
                        .expectErrorSatisfies(e -> assertThat(e)
                                .isInstanceOf(NoContextException.class)
                                .hasMessageContaining("bind")
                                .hasMessageContaining("asApplication"))
                        .verify(LIMIT);
            }
            assertThat(platform.requests(r -> true)).isEmpty();
        }

        @Test
        void traversalAndTheGatewaysOtherPathsAreRefused() {
            Caracal based = Caracal.create(platform.config()
                    .gatewayUrl("https://gateway.example.com/proxy")
                    .build());
            for (String path : List.of(
                    "/unrelated",
                    "/proxy-evil",
                    "/proxy/%2e%2e/x",
                    "/proxy/%252e%252e/x",
                    "/proxy/..%5cx",
                    "/proxy/..\\x",
                    "/proxy/x\\",
                    "/proxy//",
                    "/proxy/../x")) {
                StepVerifier.create(based.spawn(
                                context -> resolve(based.outbound(), "https://gateway.example.com" + path, null)))
                        .expectError(RoutingException.class)
                        .verify(LIMIT);
            }
            StepVerifier.create(based.spawn(
                            context -> resolve(based.outbound(), "https://gateway.example.com/proxy/x", null)))
                    .assertNext(call -> assertThat(call.carriesIdentity()).isTrue())
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(based.disposeLater()).expectComplete().verify(LIMIT);
        }

        @Test
        void aSessionThatHasEndedHasNoIdentityAnyMore() {
            CaracalContext ended =
                    Objects.requireNonNull(caracal.spawn(Mono::just).block(LIMIT));
            StepVerifier.create(caracal.bind(ended, resolve(toOther(caracal), OTHER, null)))
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
            StepVerifier.create(caracal.bind(ended, caracal.headers()))
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
        }

        @Test
        void afterCloseNothingIsResolved() {
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            StepVerifier.create(resolve(caracal.outbound(), OTHER, null))
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
            StepVerifier.create(caracal.headersAsApplication())
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
            StepVerifier.create(caracal.spawn(context -> Mono.just(1)))
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
            assertThat(platform.requests(r -> true)).isEmpty();
            assertThat(caracal.isDisposed()).isTrue();
            assertThat(platform.isDisposed())
                    .as("the caller's transport stays the caller's")
                    .isFalse();
        }

        /** A refusal stays a refusal. */
        @Test
        void onErrorContinueDoesNotSwallowARefusal() {
            platform.next(
                    FakePlatform::isToken,
                    real -> Mono.just(FakePlatform.answer(
                            200,
                            "{\"access_token\":\"partial\",\"token_type\":\"Bearer\",\"expires_in\":900,"
                                    + "\"target_resources\":[\"resource://other\"]}")));
            OutboundPolicy policy = caracal.outbound(TransportOptions.defaults().withAsApplication());
            StepVerifier.create(resolve(policy, BILLING + "/charge", null).onErrorContinue((e, v) -> {}))
                    .expectError(RoutingException.class)
                    .verify(LIMIT);
        }
    }
}
