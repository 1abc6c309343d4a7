package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static run.caracal.test.FakePlatform.LIMIT;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.test.StepVerifier;
import run.caracal.error.CoordinatorException;
import run.caracal.error.DelegationException;
import run.caracal.error.DelegationException.Reason;
import run.caracal.error.ProtocolException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.http.HttpRequest;
import run.caracal.test.FakePlatform;
import run.caracal.vectors.VectorJson;
import run.caracal.vectors.VectorObject;

/** The authority that a session gets from its parent. */
class GrantTest {
    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    private static SpawnOptions with(Grant grant) {
        return SpawnOptions.builder().grant(grant).build();
    }

    private static VectorObject body(HttpRequest request) {
        return VectorJson.parseObject(FakePlatform.body(request).getBytes(StandardCharsets.UTF_8));
    }

    private VectorObject open(int index) {
        return body(platform.requests(FakePlatform::isOpen).get(index));
    }

    private VectorObject delegation(int index) {
        return body(platform.requests(FakePlatform::isDelegate).get(index));
    }

    private static <T> T get(Mono<T> mono) {
        return Objects.requireNonNull(mono.block(LIMIT));
    }

    private static void run(Mono<?> work) {
        StepVerifier.create(work.then()).expectComplete().verify(LIMIT);
    }

    private static CoordinatorException coordinator(Throwable e) {
        assertThat(e).isInstanceOf(CoordinatorException.class);
        return (CoordinatorException) e;
    }

    private Mono<Integer> down(int levels, List<CaracalContext> seen) {
        SpawnOptions options = seen.isEmpty() ? SpawnOptions.defaults() : with(Grant.narrow("a"));
        return caracal.spawn(options, context -> {
            seen.add(context);
            return levels == 0 ? Mono.just(0) : down(levels - 1, seen);
        });
    }

    @Nested
    class Narrowing {
        @Test
        void aNarrowedChildHoldsADelegationFromItsParent() {
            Grant grant = Grant.narrow("tickets:read")
                    .resource("https://api.example.com/tickets")
                    .constraints(c -> c.maxHops(1))
                    .ttl(Duration.ofMinutes(10));
            CaracalContext child = get(caracal.spawn(parent -> caracal.spawn(with(grant), c -> caracal.current())));

            assertThat(open(1).string("parent_authority")).isEqualTo("none");
            assertThat(open(1).has("inherit_parent_edge_id")).isFalse();
            assertThat(delegation(0).map())
                    .isEqualTo(Map.of(
                            "issuer_application_id", "app-1",
                            "source_session_id", "session-1",
                            "target_session_id", "session-2",
                            "receiver_application_id", "app-1",
                            "scopes", List.of("tickets:read"),
                            "resource_id", "https://api.example.com/tickets",
                            "constraints", Map.of("max_hops", 1L),
                            "ttl_seconds", 600L));
            assertThat(child.agentSessionId()).isEqualTo("session-2");
            assertThat(child.delegationEdgeId()).contains("edge-1");
            assertThat(child.parentEdgeId()).isEmpty();
            assertThat(child.hop()).isEqualTo(1);
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
        }

        @Test
        void manyIsNarrowedToo() {
            Flux<String> edges = caracal.spawnMany(parent ->
                    caracal.spawnMany(with(Grant.narrow("a")), child -> Mono.justOrEmpty(child.delegationEdgeId())));
            StepVerifier.create(edges).expectNext("edge-1").expectComplete().verify(LIMIT);
        }

        @Test
        void theApplicationIdIsAddedToLabelsOnlyWhenAsked() {
            SpawnOptions narrowed = SpawnOptions.builder()
                    .grant(Grant.narrow("a"))
                    .labels("auditor")
                    .labelledAsApplication()
                    .build();
            run(caracal.spawn(parent -> caracal.spawn(narrowed, Mono::just)));
            assertThat(open(1).strings("labels")).containsExactly("auditor", "app-1");
            assertThat(narrowed.mutate().build().labelledAsApplication()).isTrue();
            assertThat(SpawnOptions.builder().build().labelledAsApplication()).isFalse();

            run(caracal.spawn(
                    SpawnOptions.builder()
                            .labels("app-1")
                            .labelledAsApplication()
                            .build(),
                    Mono::just));
            assertThat(open(2).strings("labels")).as("once").containsExactly("app-1");

            ServiceOptions service = ServiceOptions.builder()
                    .labels("worker")
                    .labelledAsApplication()
                    .build();
            assertThat(service.mutate().build().labelledAsApplication()).isTrue();
            run(caracal.runService(service, agent -> Mono.just(1)).then());
            assertThat(open(3).strings("labels")).containsExactly("worker", "app-1");

            List<String> full = Collections.nCopies(SpawnOptions.MAX_LABELS, "l");
            StepVerifier.create(caracal.spawn(
                            SpawnOptions.builder()
                                    .labels(full)
                                    .labelledAsApplication()
                                    .build(),
                            Mono::just))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOf(IllegalArgumentException.class)
                            .hasMessageContaining("labels"))
                    .verify(LIMIT);
        }

        @Test
        void theDefaultsOfANarrowedSession() {
            run(caracal.spawn(parent -> caracal.spawn(with(Grant.narrow("a")), Mono::just)));
            assertThat(open(1).strings("labels"))
                    .as("the label that a mint needs")
                    .containsExactly("app-1");
            assertThat(delegation(0).string("resource_id"))
                    .as("the only binding")
                    .isEqualTo("resource://billing-api");
            assertThat(delegation(0).value("ttl_seconds")).isEqualTo(3600L);

            SpawnOptions options = SpawnOptions.builder()
                    .grant(Grant.narrow("a"))
                    .labels("auditor")
                    .ttl(Duration.ofSeconds(90))
                    .build();
            run(caracal.spawn(parent -> caracal.spawn(options, Mono::just)));
            assertThat(open(3).strings("labels")).containsExactly("auditor");
            assertThat(delegation(1).value("ttl_seconds")).as("the child's").isEqualTo(90L);

            Caracal configured = Caracal.create(
                    platform.config().defaultTtl(Duration.ofSeconds(120)).build());
            run(configured.spawn(parent -> configured.spawn(with(Grant.narrow("a")), Mono::just)));
            assertThat(delegation(2).value("ttl_seconds"))
                    .as("the configuration's")
                    .isEqualTo(120L);
            StepVerifier.create(configured.disposeLater()).expectComplete().verify(LIMIT);
        }

        @Test
        void resourcesInTheConstraintsTakeThePlaceOfAResource() {
            Grant grant = Grant.narrow("a").constraints(c -> c.resources("resource://x", "resource://y"));
            run(caracal.spawn(parent -> caracal.spawn(with(grant), Mono::just)));
            assertThat(delegation(0).has("resource_id")).isFalse();
        }

        @Test
        void authorityIsNarrowedDownAnyDepthAndTheHopIsClamped() {
            List<CaracalContext> seen = new ArrayList<>();
            run(down(12, seen));
            assertThat(seen).hasSize(13);
            for (int depth = 1; depth <= 12; depth++) {
                CaracalContext context = seen.get(depth);
                assertThat(context.delegationEdgeId()).contains("edge-" + depth);
                assertThat(context.parentEdgeId()).isEqualTo(seen.get(depth - 1).delegationEdgeId());
                assertThat(context.hop()).isEqualTo(Math.min(depth, 10));
                assertThat(delegation(depth - 1).value("parent_edge_id"))
                        .isEqualTo(seen.get(depth - 1).delegationEdgeId().orElse(null));
            }
            // A default must not outlive the parent's delegation, or the platform refuses it.
            for (int depth = 1; depth < 12; depth++) {
                assertThat(delegation(depth).number("ttl_seconds"))
                        .isLessThan(delegation(depth - 1).number("ttl_seconds"))
                        .isGreaterThan(3000);
            }
        }

        @Test
        void aChildInheritsItsParentsSlice() {
            CaracalContext grandchild = get(caracal.spawn(root -> caracal.spawn(
                    with(Grant.narrow("a")), narrowed -> caracal.spawn(inheriting -> Mono.just(inheriting)))));
            assertThat(open(2).string("parent_authority")).isEqualTo("inherit");
            assertThat(open(2).string("inherit_parent_edge_id")).isEqualTo("edge-1");
            assertThat(open(2).strings("labels")).containsExactly("app-1");
            assertThat(grandchild.delegationEdgeId()).contains("edge-2");
            assertThat(grandchild.parentEdgeId()).contains("edge-1");
            assertThat(grandchild.hop()).isEqualTo(2);
        }

        /** Each request asks for exactly the scopes of the grant, and names the parent's edge. */
        @Test
        void neverAsksForMoreThanTheGrantSays() {
            run(caracal.spawn(root -> caracal.spawn(
                    with(Grant.narrow("a", "b").constraints(c -> c.maxHops(3))),
                    middle -> caracal.spawn(with(Grant.narrow("a")), Mono::just))));
            assertThat(delegation(1).strings("scopes")).containsExactly("a");
            assertThat(delegation(1).string("parent_edge_id")).isEqualTo("edge-1");
            assertThat(delegation(1).string("source_session_id")).isEqualTo("session-2");
            assertThat(platform.requests(FakePlatform::isOpen).stream()
                            .map(FakePlatform::body)
                            .skip(1))
                    .allMatch(b -> b.contains("\"parent_authority\":\"none\""));
        }

        @Test
        void theConstraintsKeepWhatTheyAreGiven() {
            DelegationConstraints constraints = DelegationConstraints.builder()
                    .resources("resource://x")
                    .maxDepth(2)
                    .maxHops(2)
                    .ttl(Duration.ofMinutes(1))
                    .budget(64)
                    .policyApproved(false)
                    .expiresAt(Instant.parse("2030-01-01T00:00:00.123456Z"))
                    .broadReason("migration")
                    .build();
            assertThat(constraints.fields().wire())
                    .isEqualTo(Map.of(
                            "resources",
                            List.of("resource://x"),
                            "max_depth",
                            2,
                            "max_hops",
                            2,
                            "ttl_seconds",
                            60L,
                            "budget",
                            64,
                            "policy_approved",
                            false,
                            "expires_at",
                            "2030-01-01T00:00:00.123Z",
                            "broad_reason",
                            "migration"));
            assertThat(constraints.mutate().build()).isEqualTo(constraints).hasSameHashCodeAs(constraints);
            assertThat(DelegationConstraints.none().fields().wire()).isNull();
            Grant.Narrow grant =
                    Grant.narrow("a").constraints(c -> c.maxHops(3)).constraints(c -> c.ttl(Duration.ofMinutes(1)));
            assertThat(grant.constraints().maxHops()).hasValue(3);
            assertThat(grant).isEqualTo(grant.constraints(grant.constraints())).isNotEqualTo(Grant.narrow("a"));
            assertThat(with(grant).mutate().build().grant()).isEqualTo(grant);
        }

        @Test
        void aNarrowedSessionTellsOfItsDelegation() {
            List<CaracalEvent> events = Collections.synchronizedList(new ArrayList<>());
            caracal.onEvent(events::add).isDisposed();
            run(caracal.spawn(parent -> caracal.spawn(with(Grant.narrow("a")), Mono::just)));
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            assertThat(events)
                    .filteredOn(CaracalEvent.DelegationCreated.class::isInstance)
                    .singleElement()
                    .isInstanceOfSatisfying(CaracalEvent.DelegationCreated.class, e -> {
                        assertThat(e.delegationEdgeId()).isEqualTo("edge-1");
                        assertThat(e.sourceSessionId()).isEqualTo("session-1");
                        assertThat(e.targetSessionId()).isEqualTo("session-2");
                        assertThat(e.completion().outcome()).isEqualTo(Completion.Outcome.SUCCESS);
                        assertThat(e.completion().status()).isEqualTo(201);
                    });
        }
    }

    @Nested
    class Times {
        /** An equal time to live would end some milliseconds after the one that it derives from. */
        @Test
        void anExplicitTimeIsCutToWhatTheParentHasLeft() {
            Grant grant = Grant.narrow("a").ttl(Duration.ofMinutes(10));
            DelegationSpec onward = DelegationSpec.builder()
                    .to("session-9", "app-9")
                    .scopes("a")
                    .resource("resource://billing-api")
                    .ttl(Duration.ofMinutes(20))
                    .build();
            run(caracal.spawn(root -> caracal.spawn(
                    with(grant),
                    parent -> caracal.spawn(with(grant), Mono::just).then(caracal.createDelegation(onward)))));
            assertThat(delegation(0).value("ttl_seconds")).isEqualTo(600L);
            assertThat((Long) delegation(1).value("ttl_seconds")).as("a child").isBetween(570L, 590L);
            assertThat((Long) delegation(2).value("ttl_seconds"))
                    .as("another session")
                    .isBetween(570L, 590L);
        }

        @Test
        void aTimeThatTheGatewayWouldRefuseIsRefusedWhereItIsAskedFor() {
            for (int seconds : new int[] {1, 35, 39}) {
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> Grant.narrow("a").ttl(Duration.ofSeconds(seconds)))
                        .withMessageContainingAll("ttl: ", "40 seconds", "Gateway", "35 seconds");
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> DelegationSpec.builder().ttl(Duration.ofSeconds(seconds)))
                        .withMessageContainingAll("ttl: ", "40 seconds", "Gateway", "35 seconds");
                assertThatIllegalArgumentException()
                        .isThrownBy(() -> DelegationConstraints.builder().ttl(Duration.ofSeconds(seconds)))
                        .withMessageContainingAll("constraints.ttl: ", "40 seconds", "Gateway", "35 seconds");
            }
            assertThat(Grant.narrow("a").ttl(Duration.ofSeconds(40)).ttl()).contains(Duration.ofSeconds(40));
        }

        /** Its own end comes first. */
        @Test
        void theDelegationOfAShortSessionCanBeUsed() {
            SpawnOptions brief = SpawnOptions.builder()
                    .ttl(Duration.ofSeconds(10))
                    .grant(Grant.narrow("a"))
                    .build();
            run(caracal.spawn(root -> caracal.spawn(brief, Mono::just)));
            assertThat(delegation(0).value("ttl_seconds")).isEqualTo(40L);
        }
    }

    @Nested
    class Nothing {
        @Test
        void aRootThatIsGivenNothingObtainsNothing() {
            Mono<Mandate> call = caracal.mintMandate("resource://billing-api", "billing:charge");
            for (Mono<Mandate> work : List.of(
                    caracal.spawn(with(Grant.none()), root -> call),
                    caracal.spawn(with(Grant.none()), root -> caracal.spawn(child -> call)))) {
                StepVerifier.create(work)
                        .expectErrorMatches(
                                e -> e instanceof DelegationException none && none.reason() == Reason.NOTHING_GRANTED)
                        .verify(LIMIT);
            }
            StepVerifier.create(caracal.spawn(with(Grant.none()), root -> caracal.describeAuthority()))
                    .expectNextMatches(text -> text.endsWith("holds no authority"))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.opened()).as("no helper").isEqualTo(4);
            assertThat(platform.requests(FakePlatform::isMint)).isEmpty();
            assertThat(platform.requests(FakePlatform::isDelegate)).isEmpty();
        }

        @Test
        void noneGivesNothing() {
            CaracalContext child = get(caracal.spawn(parent -> caracal.spawn(
                    with(Grant.narrow("a")), narrowed -> caracal.spawn(with(Grant.none()), c -> Mono.just(c)))));
            assertThat(open(2).string("parent_authority")).isEqualTo("none");
            assertThat(open(2).has("inherit_parent_edge_id")).isFalse();
            assertThat(child.delegationEdgeId()).isEmpty();
            assertThat(child.parentEdgeId()).isEmpty();
            assertThat(child.hop()).isZero();
            assertThat(platform.requests(FakePlatform::isDelegate)).hasSize(1);
        }

        @Test
        void noneTakesNoDelegationThatAnOlderPlatformHandsOut() {
            platform.next(
                    r -> FakePlatform.body(r).contains("\"parent_authority\":\"none\""),
                    real -> real.thenReturn(FakePlatform.answer(
                            201, "{\"agent_session_id\":\"session-2\",\"delegation_edge_id\":\"edge-9\"}")));
            CaracalContext child = get(caracal.spawn(parent -> caracal.spawn(with(Grant.none()), Mono::just)));
            assertThat(child.delegationEdgeId()).isEmpty();
        }
    }

    @Nested
    class Failing {
        /** The child is terminated before the error of its delegation surfaces. */
        @Test
        void aChildWhoseDelegationFailsIsTerminatedBeforeTheErrorSurfaces() {
            platform.nextAnswer(FakePlatform::isDelegate, 403, "{\"error\":\"delegation_exceeds_parent_authority\"}");
            List<String> ended = new ArrayList<>();
            Mono<Object> work = caracal.spawn(parent -> caracal.spawn(
                            with(Grant.narrow("everything")), child -> Mono.error(new AssertionError("the work ran")))
                    .onErrorResume(e -> {
                        ended.addAll(platform.ended());
                        return Mono.error(e);
                    }));
            StepVerifier.create(work)
                    .expectErrorSatisfies(e -> {
                        assertThat(coordinator(e).code()).isEqualTo("delegation_exceeds_parent_authority");
                        assertThat(e).hasMessageContaining("only narrow");
                    })
                    .verify(LIMIT);
            assertThat(ended).containsExactly("session-2");
        }

        @Test
        void aFailedTerminationDoesNotMaskTheErrorOfTheDelegation() {
            platform.nextAnswer(FakePlatform::isDelegate, 403, "{\"error\":\"delegation_scopes_exceed_resource\"}");
            platform.nextAnswer(FakePlatform::isTerminate, 403, "{\"error\":\"missing_scope\"}");
            StepVerifier.create(caracal.spawn(parent -> caracal.spawn(with(Grant.narrow("a")), Mono::just)))
                    .expectErrorSatisfies(e -> {
                        assertThat(coordinator(e).code()).isEqualTo("delegation_scopes_exceed_resource");
                        assertThat(e.getSuppressed()).hasAtLeastOneElementOfType(CoordinatorException.class);
                    })
                    .verify(LIMIT);
            platform.live().clear();
        }

        @Test
        void delegate_isTriedTwiceUnderOneKey() {
            TransportException lost = new TransportException(TransportException.Kind.IO, "lost", null);
            platform.nextLost(FakePlatform::isDelegate, lost);
            platform.nextLost(FakePlatform::isDelegate, lost);
            platform.nextLost(FakePlatform::isDelegate, lost);
            StepVerifier.withVirtualTime(() -> {
                        Caracal virtual = platform.client();
                        return virtual.spawn(parent -> virtual.spawn(with(Grant.narrow("a")), Mono::just));
                    })
                    .thenAwait(Duration.ofSeconds(2))
                    .expectError(TransportException.class)
                    .verify(LIMIT);
            List<HttpRequest> attempts = platform.requests(FakePlatform::isDelegate);
            assertThat(attempts).hasSize(2);
            FakePlatform.assertOneValue(attempts, "Idempotency-Key");
            assertThat(platform.edges()).hasSize(1);
        }

        @Test
        void delegate_aRefusedTokenIsDroppedOnce() {
            platform.nextAnswer(FakePlatform::isDelegate, 401, "{\"error\":\"identity_revoked\"}");
            run(caracal.spawn(parent -> caracal.spawn(with(Grant.narrow("a")), Mono::just)));
            assertThat(platform.requests(FakePlatform::isDelegate))
                    .extracting(r -> FakePlatform.header(r, "Authorization"))
                    .containsExactly("Bearer token-1", "Bearer token-2");
        }

        /** A missing edge is an error, never a session with more authority than its parent. */
        @Test
        void failsClosedWhenTheLinkIsMissing() {
            platform.nextAnswer(FakePlatform::isDelegate, 201, "{\"scopes\":[\"a\"]}");
            platform.nextAnswer(FakePlatform::isDelegate, 201, "{\"scopes\":[\"a\"]}");
            StepVerifier.withVirtualTime(() -> {
                        Caracal virtual = platform.client();
                        return virtual.spawn(parent -> virtual.spawn(with(Grant.narrow("a")), Mono::just));
                    })
                    .thenAwait(Duration.ofSeconds(2))
                    .expectError(ProtocolException.class)
                    .verify(LIMIT);
            assertThat(platform.ended()).containsExactly("session-2", "session-1");

            platform.next(
                    r -> FakePlatform.body(r).contains("inherit_parent_edge_id"),
                    real -> real.thenReturn(FakePlatform.answer(201, "{\"agent_session_id\":\"session-5\"}")));
            StepVerifier.create(caracal.spawn(root -> caracal.spawn(
                            with(Grant.narrow("a")), narrowed -> caracal.spawn(inheriting -> Mono.just("worked")))))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    DelegationException.class,
                                    d -> assertThat(d.reason()).isEqualTo(Reason.UNLINKED))
                            .hasMessageContaining("Grant.narrow"))
                    .verify(LIMIT);
            assertThat(platform.ended()).endsWith("session-5", "session-4", "session-3");
        }
    }

    @Nested
    class Cancelling {
        @Test
        void aCancelDuringTheDelegationLeaksNoSession() {
            platform.next(FakePlatform::isDelegate, real -> real.then(Mono.never()));
            caracal.spawn(parent -> caracal.spawn(with(Grant.narrow("a")), Mono::just))
                    .subscribe()
                    .dispose();
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
        }

        @Test
        void aCancelWhileTheChildOpensNeitherLeaksNorDelegates() {
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(
                    r -> FakePlatform.isOpen(r) && FakePlatform.body(r).contains("parent_id"),
                    real -> real.delayUntil(r -> gate.asMono()));
            caracal.spawn(parent -> caracal.spawn(with(Grant.narrow("a")), Mono::just))
                    .subscribe()
                    .dispose();
            assertThat(platform.live()).containsExactlyInAnyOrder("session-1", "session-2");
            gate.tryEmitEmpty().orThrow();
            assertThat(platform.ended()).containsExactly("session-2", "session-1");
            assertThat(platform.requests(FakePlatform::isDelegate)).isEmpty();
        }
    }

    static Stream<Arguments> wrongInputs() {
        DelegationConstraints.Builder c = DelegationConstraints.builder();
        return Stream.of(
                wrong("narrow", () -> Grant.narrow()),
                wrong("narrow", () -> Grant.narrow("a", "")),
                wrong("narrow", () -> Grant.narrow("a b")),
                wrong("narrow", () -> Grant.narrow("a\nb")),
                wrong("resource", () -> Grant.narrow("a").resource("")),
                wrong("resource", () -> Grant.narrow("a").resource("resource://x y")),
                wrong("ttl", () -> Grant.narrow("a").ttl(Duration.ZERO)),
                wrong("ttl", () -> Grant.narrow("a").ttl(Duration.ofSeconds(-1))),
                wrong("ttl", () -> Grant.narrow("a").ttl(Duration.ofMillis(1500))),
                wrong("ttl", () -> Grant.narrow("a").ttl(Duration.ofSeconds(86_401))),
                wrong("constraints.resources", () -> c.resources()),
                wrong("constraints.resources", () -> c.resources(Collections.nCopies(65, "resource://x"))),
                wrong("constraints.resources", () -> c.resources("resource://x", "")),
                wrong("constraints.maxHops", () -> c.maxHops(0)),
                wrong("constraints.maxHops", () -> c.maxHops(11)),
                wrong("constraints.maxDepth", () -> c.maxDepth(0)),
                wrong("constraints.maxDepth", () -> c.maxDepth(11)),
                wrong(
                        "constraints.maxHops",
                        () -> DelegationConstraints.builder()
                                .maxHops(2)
                                .maxDepth(3)
                                .build()),
                wrong("constraints.ttl", () -> c.ttl(Duration.ZERO)),
                wrong("constraints.ttl", () -> c.ttl(Duration.ofSeconds(86_401))),
                wrong("constraints.budget", () -> c.budget(0)),
                wrong("constraints.budget", () -> c.budget(65)),
                wrong("constraints.broadReason", () -> c.broadReason("")),
                wrong("constraints.broadReason", () -> c.broadReason("x".repeat(257))),
                wrong("constraints.broadReason", () -> c.broadReason("a\u0000b")));
    }

    private interface Input {
        Object make();
    }

    private static Arguments wrong(String field, Input input) {
        return Arguments.of(field, input);
    }

    @Nested
    class Refusing {
        @Test
        void badInput_aNarrowWithoutAParentIsAnErrorBeforeAnyCall() {
            StepVerifier.create(caracal.spawn(with(Grant.narrow("a")), Mono::just))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    DelegationException.class,
                                    d -> assertThat(d.reason()).isEqualTo(Reason.NO_PARENT))
                            .hasMessageContaining("parent("))
                    .verify(LIMIT);
            assertThat(platform.requests(r -> true)).isEmpty();
        }

        @Test
        void badInput_aNarrowWithoutAResourceIsAnErrorBeforeAnyCall() {
            Caracal two = Caracal.create(platform.config()
                    .resource("resource://tickets", "https://tickets.example.com")
                    .build());
            StepVerifier.create(two.spawn(parent -> {
                        platform.live().remove("session-1");
                        int before = platform.requests(r -> true).size();
                        return two.spawn(with(Grant.narrow("a")), Mono::just)
                                .doOnError(e ->
                                        assertThat(platform.requests(r -> true)).hasSize(before));
                    }))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(
                                    DelegationException.class,
                                    d -> assertThat(d.reason()).isEqualTo(Reason.NO_RESOURCE))
                            .hasMessageContaining("resource(id)")
                            .hasMessageContaining("2 are configured"))
                    .verify(LIMIT);
            StepVerifier.create(two.disposeLater()).expectComplete().verify(LIMIT);
        }

        @ParameterizedTest
        @MethodSource("run.caracal.GrantTest#wrongInputs")
        void badInput_throwsAtOnceAndNamesTheField(String field, Input input) {
            assertThatIllegalArgumentException()
                    .isThrownBy(input::make)
                    .withMessageContaining(field)
                    .withMessageMatching("(?s).*( needed| must | so set ).*");
        }
    }
}
