package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static run.caracal.Calls.assertFails;
import static run.caracal.Calls.form;
import static run.caracal.Calls.headers;
import static run.caracal.Calls.resolve;
import static run.caracal.test.FakePlatform.BILLING;
import static run.caracal.test.FakePlatform.GATEWAY;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.test.StepVerifier;
import reactor.util.context.Context;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ClosedException;
import run.caracal.error.ConfigurationException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.RoutingException;
import run.caracal.error.StsException;
import run.caracal.http.HttpRequest;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundPolicy;
import run.caracal.http.TransportOptions;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.mandate.ApplicationSessions;
import run.caracal.test.FakePlatform;

/** Calls as the application itself: their sessions and delegations, the lifetime of these, and the targets of mandates. */
class ApplicationTransportTest {
    private static final String RESOURCE = "resource://billing-api";
    private static final String CHARGE = BILLING + "/charge";

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();
    private final OutboundPolicy policy = caracal.applicationTransport(RESOURCE, "billing:charge");

    private static Mono<String> bearer(OutboundPolicy policy) {
        return resolve(policy, CHARGE, null)
                .map(call -> Objects.requireNonNull(headers(call).get("Authorization")));
    }

    private static OutboundDecision resolved(OutboundPolicy policy, String url, @Nullable String resource) {
        return Objects.requireNonNull(resolve(policy, url, resource).block(LIMIT));
    }

    private List<HttpRequest> opens() {
        return platform.requests(FakePlatform::isOpen);
    }

    private List<HttpRequest> delegations() {
        return platform.requests(FakePlatform::isDelegate);
    }

    private List<HttpRequest> mints() {
        return platform.requests(FakePlatform::isMint);
    }

    @Nested
    class Calling {
        @Test
        void aSourceDelegatesToATargetExactlyWhatTheCallsNeed() {
            assertThat(platform.requests(r -> true)).isEmpty();
            OutboundDecision call = resolved(policy, CHARGE + "?a=1", null);
            assertThat(call.url()).isEqualTo(GATEWAY + "/charge?a=1");
            Map<String, String> sent = headers(call);
            assertThat(sent).containsEntry("X-Caracal-Resource", RESOURCE);
            assertThat(sent.get("Authorization")).startsWith("Bearer token-");
            assertThat(sent.get("baggage"))
                    .contains("caracal.agent_session=session-2", "caracal.delegation_edge=edge-1", "caracal.hop=1");

            assertThat(opens())
                    .hasSize(2)
                    .allSatisfy(open -> assertThat(FakePlatform.body(open))
                            .contains("\"lifecycle\":\"task\"", "\"ttl_seconds\":1020", "\"labels\":[\"app-1\"]")
                            .doesNotContain("subject_session_id"));
            assertThat(FakePlatform.body(opens().get(0))).doesNotContain("parent_id");
            assertThat(FakePlatform.body(opens().get(1)))
                    .contains("\"parent_id\":\"session-1\"", "\"parent_authority\":\"none\"");
            assertThat(delegations()).hasSize(1);
            assertThat(FakePlatform.body(delegations().get(0)))
                    .contains(
                            "\"source_session_id\":\"session-1\"",
                            "\"target_session_id\":\"session-2\"",
                            "\"resource_id\":\"" + RESOURCE + "\"",
                            "\"scopes\":[\"billing:charge\"]");
            assertThat(mints()).hasSize(1);
            assertThat(form(mints().get(0)))
                    .containsEntry("agent_session_id", "session-2")
                    .containsEntry("delegation_edge_id", "edge-1")
                    .containsEntry("resource", RESOURCE)
                    .containsEntry("scope", "billing:charge")
                    .doesNotContainKey("ttl_seconds");
        }

        @Test
        void everySubscriptionGetsAMandateOfItsOwnUnderTheSameDelegation() {
            Mono<String> stored = bearer(policy);
            List<String> bearers =
                    Objects.requireNonNull(stored.repeat(9).collectList().block(LIMIT));
            assertThat(bearers).hasSize(10).doesNotHaveDuplicates();
            assertThat(mints()).hasSize(10);
            assertThat(delegations()).hasSize(1);
            OutboundDecision once = resolved(policy, CHARGE, null);
            assertThat(headers(once)).containsKey("Authorization");
            assertThatThrownBy(() -> headers(once))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("one request");
        }

        @Test
        void ofABoundContextTheTraceAloneIsKept() {
            record Seen(String session, String trace, Map<String, String> headers) {}
            Seen seen = Objects.requireNonNull(caracal.spawn(session -> resolve(policy, CHARGE, null)
                            .map(call -> new Seen(session.agentSessionId(), session.traceId(), headers(call))))
                    .block(LIMIT));
            assertThat(seen.headers().get("traceparent")).contains("-" + seen.trace() + "-");
            assertThat(seen.headers().get("baggage"))
                    .doesNotContain("=" + seen.session() + ",")
                    .contains("caracal.agent_session=session-3");
            // Outside of any session each call is a trace of its own.
            assertThat(headers(resolved(policy, CHARGE, null)).get("traceparent"))
                    .isNotEqualTo(headers(resolved(policy, CHARGE, null)).get("traceparent"));
            // The authority does not depend on the session of the caller.
            assertThat(platform.live()).hasSize(2);
            CaracalContext ended =
                    Objects.requireNonNull(caracal.spawn(Mono::just).block(LIMIT));
            StepVerifier.create(caracal.bind(ended, bearer(policy)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(delegations()).hasSize(1);
        }

        @Test
        void aResourceWithoutABindingIsCalledAtTheGateway() {
            OutboundPolicy unbound = caracal.applicationTransport("resource://unbound", "a");
            assertThat(headers(resolved(unbound, GATEWAY + "/x", null)))
                    .containsEntry("X-Caracal-Resource", "resource://unbound");
        }

        @Test
        void optionsReachBothSessionsAndTheMint() {
            OutboundPolicy labelled = caracal.applicationTransport(
                    RESOURCE,
                    List.of("b", "a", "b"),
                    ApplicationOptions.defaults()
                            .withLabels("importer")
                            .withTtl(Duration.ofSeconds(60))
                            .withSubjectAuthorityRecordId("record-1"));
            StepVerifier.create(bearer(labelled))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(opens())
                    .hasSize(2)
                    .allSatisfy(open -> assertThat(FakePlatform.body(open))
                            .contains(
                                    "\"ttl_seconds\":180",
                                    "\"labels\":[\"importer\"]",
                                    "\"subject_session_id\":\"record-1\""));
            assertThat(form(mints().get(0))).containsEntry("ttl_seconds", "60").containsEntry("scope", "a b");
        }

        /** Without a session, asApplication calls with a mandate where scopes are known. */
        @Test
        void asApplicationWithScopesActsWithTheApplicationsAuthority() {
            OutboundPolicy plain = caracal.outbound(
                    TransportOptions.defaults().withScopes("billing:charge").withAsApplication());
            StepVerifier.create(bearer(plain).then(bearer(policy)))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(delegations()).hasSize(1);
            assertThat(mints()).hasSize(2);
        }

        @Test
        void noHookOfASessionIsRun() {
            List<String> hooked = new CopyOnWriteArrayList<>();
            Disposable start = caracal.onSessionStart(c -> Mono.fromRunnable(() -> hooked.add("start")));
            Disposable end = caracal.onSessionEnd(c -> Mono.fromRunnable(() -> hooked.add("end")));
            StepVerifier.create(bearer(policy).then(caracal.disposeLater()))
                    .expectComplete()
                    .verify(LIMIT);
            start.dispose();
            end.dispose();
            assertThat(hooked).isEmpty();
        }
    }

    @Nested
    class Refusing {
        /** A credential never goes elsewhere. */
        @ParameterizedTest
        @ValueSource(
                strings = {
                    "https://other.example.com/x",
                    "https://second.example.com/x",
                    "http://billing.example.com/charge",
                    "https://gateway.example.com/unrelated",
                    "https://gateway.example.com/proxy-evil",
                    "https://gateway.example.com/proxy/../x",
                    "https://gateway.example.com/proxy/%2e%2e/x",
                    "https://gateway.example.com/proxy/%252e%252e/x",
                    "https://gateway.example.com/proxy/..%5cx",
                    "https://gateway.example.com/proxy//",
                    "https://billing.example.com/%2e%2e/x",
                    "https://billing.example.com//",
                    "/charge",
                    "not a url"
                })
        void anythingElseIsRefusedBeforeAnythingIsProvided(String url) {
            Caracal based = Caracal.create(platform.config()
                    .gatewayUrl(GATEWAY + "/proxy")
                    .resource("resource://second", "https://second.example.com")
                    .build());
            OutboundPolicy pinned = based.applicationTransport(RESOURCE, "billing:charge");
            assertFails(resolve(pinned, url, null), RoutingException.class);
            assertThat(platform.requests(r -> true)).isEmpty();
            StepVerifier.create(based.disposeLater()).expectComplete().verify(LIMIT);
        }

        @Test
        void atTheGatewayOnlyItsOwnResourceMayBeNamed() {
            assertFails(resolve(policy, GATEWAY + "/x", "resource://other"), RoutingException.class, RESOURCE);
            assertFails(resolve(policy, CHARGE, "resource://other"), RoutingException.class, RESOURCE);
            assertThat(platform.requests(r -> true)).isEmpty();
            assertThat(headers(resolved(policy, GATEWAY + "/x", RESOURCE)))
                    .containsEntry("X-Caracal-Resource", RESOURCE);
            assertThat(headers(resolved(policy, GATEWAY + "/x", null))).containsEntry("X-Caracal-Resource", RESOURCE);
            OutboundDecision late = resolved(policy, GATEWAY + "/x", null);
            assertThatThrownBy(() -> headers(late, "X-Caracal-Resource", "resource://other"))
                    .isInstanceOf(RoutingException.class);
        }

        @Test
        void badInput_isRefusedAtOnce() {
            assertThatThrownBy(() -> caracal.applicationTransport("a b", "s"))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> caracal.applicationTransport(RESOURCE, "agent:lifecycle"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("scopes");
            assertThatThrownBy(() -> caracal.applicationTransport(RESOURCE))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("CARACAL_RESOURCE_SCOPES");
            assertThatThrownBy(() -> ApplicationOptions.defaults().withTtl(Duration.ofSeconds(35)))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> ApplicationOptions.defaults().withLabels(" "))
                    .isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> ApplicationOptions.defaults().withSubjectAuthorityRecordId("../x"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("subjectAuthorityRecordId");
            Caracal fixed = Caracal.create(CaracalConfig.builder()
                    .zoneId("zone-1")
                    .applicationId("app-1")
                    .subjectToken("static-token")
                    .transport(platform)
                    .build());
            assertThatThrownBy(() -> fixed.applicationTransport(RESOURCE, "a"))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("CARACAL_APP_CLIENT_SECRET");
            StepVerifier.create(fixed.disposeLater()).expectComplete().verify(LIMIT);
        }
    }

    @Nested
    class Sharing {
        @RepeatedTest(20)
        void aHundredCallersAtOnceShareOneProvision() {
            Sinks.Empty<Void> go = Sinks.empty();
            platform.next(FakePlatform::isOpen, real -> go.asMono().then(real));
            List<String> bearers = new CopyOnWriteArrayList<>();
            Flux<String> all =
                    Flux.range(0, 100).flatMap(i -> bearer(policy), 100).doOnNext(bearers::add);
            StepVerifier.create(all.then())
                    .then(() -> {
                        assertThat(opens()).hasSize(1);
                        go.tryEmitEmpty().orThrow();
                    })
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(opens()).hasSize(2);
            assertThat(delegations()).hasSize(1);
            assertThat(mints()).hasSize(100);
            assertThat(bearers).doesNotHaveDuplicates();
        }

        /** Cancelled callers, the first one and all of them, disturb no other and leave nothing half open. */
        @RepeatedTest(20)
        void whoeverLeavesDisturbsNobody() {
            Sinks.Empty<Void> go = Sinks.empty();
            platform.next(FakePlatform::isDelegate, real -> go.asMono().then(real));
            Disposable first = bearer(policy).subscribe(b -> {}, e -> {});
            Disposable second = bearer(policy).subscribe(b -> {}, e -> {});
            first.dispose();
            second.dispose();
            StepVerifier.create(bearer(policy))
                    .then(() -> go.tryEmitEmpty().orThrow())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(opens()).hasSize(2);
            assertThat(delegations()).hasSize(1);
        }

        /** The shared calls do not run in the Context of the first caller. */
        @Test
        void whatIsSharedRunsInNobodysContext() {
            List<Boolean> seen = new CopyOnWriteArrayList<>();
            platform.next(
                    FakePlatform::isOpen,
                    real -> Mono.deferContextual(view -> {
                        seen.add(view.hasKey("user") || view.hasKey(BoundContext.class));
                        return real;
                    }));
            StepVerifier.create(caracal.spawn(session -> Mono.just(1)).thenReturn(1))
                    .expectNext(1)
                    .verifyComplete();
            platform.next(
                    FakePlatform::isOpen,
                    real -> Mono.deferContextual(view -> {
                        seen.add(view.hasKey("user"));
                        return real;
                    }));
            StepVerifier.create(bearer(policy).contextWrite(Context.of("user", "first")))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(seen).containsExactly(false, false);
        }

        /** Calls that differ in resource, user, labels, scopes or TTL share no delegation. */
        @Test
        void everyInputTellsNeedsApart() {
            ApplicationOptions plain = ApplicationOptions.defaults();
            List<OutboundPolicy> different = List.of(
                    caracal.applicationTransport(RESOURCE, List.of("a", "b"), plain),
                    caracal.applicationTransport(RESOURCE, List.of("a"), plain),
                    caracal.applicationTransport("resource://other", List.of("a", "b"), plain),
                    caracal.applicationTransport(RESOURCE, List.of("a", "b"), plain.withLabels("a", "b")),
                    caracal.applicationTransport(RESOURCE, List.of("a", "b"), plain.withLabels("a,b")),
                    caracal.applicationTransport(RESOURCE, List.of("a", "b"), plain.withLabels("a b")),
                    caracal.applicationTransport(RESOURCE, List.of("a", "b"), plain.withTtl(Duration.ofSeconds(60))),
                    caracal.applicationTransport(
                            RESOURCE, List.of("a", "b"), plain.withSubjectAuthorityRecordId("record-1")),
                    caracal.applicationTransport(
                            RESOURCE, List.of("a", "b"), plain.withSubjectAuthorityRecordId("record-2")));
            Mono<Long> all = Flux.fromIterable(different)
                    .flatMap(one -> resolve(one, GATEWAY + "/x", null))
                    .count();
            StepVerifier.create(all)
                    .expectNext((long) different.size())
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(delegations()).hasSize(different.size());
            // The same need in other words is one.
            OutboundPolicy same = caracal.applicationTransport(
                    RESOURCE, List.of("b", "a", "b"), plain.withTtl(ApplicationSessions.MANDATE_TTL));
            StepVerifier.create(resolve(same, GATEWAY + "/x", null))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(delegations()).hasSize(different.size());
            Set<ApplicationSessions.Need> needs = new HashSet<>();
            for (String[] parts : new String[][] {{"a", "b"}, {"ab", ""}, {"a b"}, {"b", "a"}, {"a", "b", "b"}}) {
                needs.add(new ApplicationSessions.Need(
                        RESOURCE, List.of(parts), List.of(parts), Duration.ofSeconds(60), null));
            }
            assertThat(needs).hasSize(5);
        }
    }

    @Nested
    class Closing {
        @RepeatedTest(20)
        void aClientThatIsClosedWhileItProvidesLeavesNothingOpen() {
            Sinks.Empty<Void> go = Sinks.empty();
            platform.next(
                    r -> FakePlatform.isOpen(r) && FakePlatform.body(r).contains("parent_id"),
                    real -> go.asMono().then(real));
            Disposable gone = bearer(policy).subscribe(b -> {}, e -> {});
            StepVerifier.create(caracal.disposeLater())
                    .then(() -> go.tryEmitEmpty().orThrow())
                    .expectComplete()
                    .verify(LIMIT);
            gone.dispose();
            assertThat(platform.live()).isEmpty();
            assertThat(platform.ended()).doesNotHaveDuplicates().hasSize(2);
            assertFails(bearer(policy), ClosedException.class);
        }

        @Test
        void closingEndsTheTargetBeforeTheSource() {
            StepVerifier.create(bearer(policy))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
            int sent = platform.requests(r -> true).size();
            assertFails(bearer(policy), ClosedException.class);
            assertThat(platform.requests(r -> true)).hasSize(sent);
        }
    }

    @Nested
    class Failing {
        /** A failed attempt is not cached, and its sessions are terminated before the error. */
        @Test
        void whatFailedIsNotKept() {
            platform.nextAnswer(FakePlatform::isDelegate, 403, "{\"error\":\"delegation_scopes_exceed_resource\"}");
            assertFails(bearer(policy), CoordinatorException.class, "scopes");
            assertThat(platform.live()).isEmpty();
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
            platform.nextAnswer(FakePlatform::isOpen, 429, "{\"error\":\"session_zone_limit_exceeded\"}");
            assertFails(bearer(policy), CoordinatorException.class, "maxOpenSessions");
            StepVerifier.create(bearer(policy))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.live()).hasSize(2);
        }

        /** A 401 drops the rejected token, once; a rejected mint keeps the sessions and the delegation. */
        @Test
        void aRefusedTokenIsReplacedOnceAndADenialChangesNothing() {
            platform.nextAnswer(FakePlatform::isDelegate, 401, "{\"error\":\"invalid_token\"}");
            StepVerifier.create(bearer(policy))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(delegations())
                    .extracting(r -> FakePlatform.header(r, "Authorization"))
                    .doesNotHaveDuplicates()
                    .hasSize(2);
            platform.nextAnswer(
                    FakePlatform::isMint, 403, "{\"error\":\"access_denied\",\"error_description\":\"policy denied\"}");
            assertFails(bearer(policy), StsException.AccessDenied.class);
            platform.nextAnswer(FakePlatform::isMint, 401, "{\"error\":\"access_denied\"}");
            assertFails(bearer(policy), StsException.AccessDenied.class);
            StepVerifier.create(bearer(policy))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(opens()).hasSize(2);
        }

        /** The scopes, the type and the resource of an issued mandate are checked. */
        @Test
        void aMandateThatLostItsScopeOrResourceIsNotUsed() {
            platform.nextAnswer(
                    FakePlatform::isMint,
                    200,
                    "{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":900,\"scope\":\"billing:read\"}");
            assertFails(bearer(policy), run.caracal.error.ProtocolException.class, "billing:charge");
            platform.nextAnswer(
                    FakePlatform::isMint, 200, "{\"access_token\":\"t\",\"token_type\":\"N_A\",\"expires_in\":900}");
            assertFails(bearer(policy), run.caracal.error.ProtocolException.class, "token_type");
            platform.nextAnswer(
                    FakePlatform::isMint,
                    200,
                    "{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"target_resources\":[\"resource://other\"]}");
            assertFails(bearer(policy), run.caracal.error.ProtocolException.class, RESOURCE);
        }
    }

    @Nested
    class Replacing {
        @ParameterizedTest
        @ValueSource(
                strings = {
                    "delegation edge inactive or expired",
                    "delegation source inactive or expired",
                    "delegation target inactive or unauthorized",
                    "session inactive or expired"
                })
        void whatThePlatformHasEndedIsProvidedAnewInsideTheCall(String description) {
            StepVerifier.create(bearer(policy))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            platform.nextAnswer(
                    FakePlatform::isMint,
                    403,
                    "{\"error\":\"access_denied\",\"error_description\":\"" + description + "\"}");
            StepVerifier.create(bearer(policy))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(mints())
                    .extracting(m -> form(m).get("delegation_edge_id"))
                    .containsExactly("edge-1", "edge-1", "edge-2");
            assertThat(opens()).hasSize(4);
        }

        /** Replaced while there is still time, never used past its end. */
        @Test
        void itIsReplacedBeforeItEndsAndTheOldOneIsEndedAfterwards() {
            StepVerifier.withVirtualTime(() -> {
                        Caracal later = platform.client();
                        OutboundPolicy timed = later.applicationTransport(RESOURCE, "billing:charge");
                        return bearer(timed)
                                .then(Mono.delay(Duration.ofSeconds(929)))
                                .then(bearer(timed))
                                .then(Mono.fromRunnable(
                                        () -> assertThat(delegations()).hasSize(1)))
                                .then(Mono.delay(Duration.ofSeconds(2)))
                                .then(bearer(timed))
                                .then(Mono.fromRunnable(() -> {
                                    assertThat(delegations()).hasSize(2);
                                    assertThat(platform.live()).hasSize(4);
                                }))
                                .then(Mono.delay(Duration.ofSeconds(61)))
                                .then(Mono.fromRunnable(() -> assertThat(platform.live())
                                        .containsExactlyInAnyOrder("session-3", "session-4")))
                                .then(later.disposeLater());
                    })
                    .thenAwait(Duration.ofSeconds(1_100))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-2", "session-1", "session-4", "session-3");
        }

        @Test
        void theLeastRecentlyUsedGoesWhenThereAreTooMany() {
            StepVerifier.withVirtualTime(() -> {
                        Caracal later = platform.client();
                        List<OutboundPolicy> all = IntStream.rangeClosed(0, ApplicationSessions.MAX_HELD)
                                .mapToObj(i -> later.applicationTransport(RESOURCE, "scope:" + i))
                                .toList();
                        return Flux.fromIterable(all.subList(0, all.size() - 1))
                                .concatMap(ApplicationTransportTest::bearer)
                                // The first is used again, so the second is the oldest now.
                                .then(bearer(all.get(0)))
                                .then(bearer(all.get(all.size() - 1)))
                                .then(bearer(all.get(0)))
                                .then(Mono.fromRunnable(
                                        () -> assertThat(delegations()).hasSize(all.size())))
                                .then(Mono.delay(Duration.ofSeconds(61)))
                                .then(Mono.fromRunnable(() -> {
                                    assertThat(platform.ended()).containsExactly("session-4", "session-3");
                                    assertThat(platform.live()).hasSize(2 * ApplicationSessions.MAX_HELD);
                                }))
                                .then(bearer(all.get(1)))
                                .then(Mono.fromRunnable(
                                        () -> assertThat(delegations()).hasSize(all.size() + 1)))
                                .then(later.disposeLater());
                    })
                    .thenAwait(Duration.ofSeconds(120))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.live()).isEmpty();
        }
    }
}
