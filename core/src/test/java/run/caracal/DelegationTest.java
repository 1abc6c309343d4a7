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
import java.util.function.Consumer;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.ClosedException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.DelegationException;
import run.caracal.error.DelegationException.Reason;
import run.caracal.error.NoContextException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion.Outcome;
import run.caracal.http.HttpRequest;
import run.caracal.test.FakePlatform;
import run.caracal.vectors.VectorJson;
import run.caracal.vectors.VectorObject;

/** Passing authority on to sessions of others, and taking it on. */
class DelegationTest {
    private static final DelegationSpec SPEC = DelegationSpec.builder()
            .to("target-1", "app-2")
            .scopes("payment:submit", "payment:read")
            .resource("resource://payments")
            .build();

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    private static <T> T get(Mono<T> mono) {
        return Objects.requireNonNull(mono.block(LIMIT));
    }

    private VectorObject delegation(int index) {
        HttpRequest request = platform.requests(FakePlatform::isDelegate).get(index);
        return VectorJson.parseObject(FakePlatform.body(request).getBytes(StandardCharsets.UTF_8));
    }

    private static DelegationSpec revoking() {
        return DelegationSpec.builder()
                .to("target-1", "app-2")
                .scopes("a")
                .revokeOnEnd(true)
                .build();
    }

    private static void fails(Mono<?> work, Consumer<Throwable> check) {
        StepVerifier.create(work).expectErrorSatisfies(check).verify(LIMIT);
    }

    private static Consumer<Throwable> reason(Reason reason) {
        return e -> assertThat(e)
                .isInstanceOfSatisfying(
                        DelegationException.class, d -> assertThat(d.reason()).isEqualTo(reason));
    }

    private static String text(CaracalEvent event) {
        Outcome outcome = event.completion().outcome();
        String end = " " + outcome + " " + event.completion().status() + " "
                + event.completion().code();
        if (event instanceof CaracalEvent.DelegationCreated e) {
            return "created " + e.delegationEdgeId() + " " + e.sourceSessionId() + " " + e.targetSessionId() + end;
        }
        if (event instanceof CaracalEvent.DelegationAccepted e) {
            return "accepted " + e.delegationEdgeId() + " " + e.agentSessionId() + end;
        }
        return "revoked " + ((CaracalEvent.DelegationRevoked) event).delegationEdgeId() + end;
    }

    @Nested
    class Delegating {
        @Test
        void theWorkRunsUnderADerivedContext() {
            Mono<List<CaracalContext>> work = caracal.spawn(root -> caracal.spawn(
                    SpawnOptions.builder()
                            .grant(Grant.narrow("payment:submit", "payment:read"))
                            .build(),
                    own -> caracal.delegate(
                            SPEC,
                            derived -> caracal.current().map(bound -> {
                                assertThat(bound).isEqualTo(derived);
                                return List.of(own, derived);
                            }))));
            List<CaracalContext> both = get(work);
            CaracalContext own = both.get(0);
            CaracalContext derived = both.get(1);
            assertThat(derived.agentSessionId()).isEqualTo(own.agentSessionId()).isEqualTo("session-2");
            assertThat(derived.delegationEdgeId()).contains("edge-2");
            assertThat(derived.parentEdgeId()).contains("edge-1").isEqualTo(own.delegationEdgeId());
            assertThat(derived.hop()).isEqualTo(own.hop() + 1);
            assertThat(derived.traceId()).isEqualTo(own.traceId());
            assertThat(platform.requests(FakePlatform::isRevoke))
                    .as("nothing is revoked")
                    .isEmpty();
            assertThat(delegation(1).map())
                    .containsAllEntriesOf(Map.of(
                            "issuer_application_id", "app-1",
                            "source_session_id", "session-2",
                            "target_session_id", "target-1",
                            "receiver_application_id", "app-2",
                            "parent_edge_id", "edge-1",
                            "resource_id", "resource://payments",
                            "scopes", List.of("payment:submit", "payment:read")));
            assertThat(delegation(1).number("ttl_seconds"))
                    .as("no longer than the remaining TTL of the issuer")
                    .isBetween(3000.0, 3599.0);
        }

        @Test
        void theTtlIsAnHourByDefault() {
            assertThat((Object) get(caracal.spawn(context -> caracal.createDelegation(SPEC))))
                    .isNotNull();
            assertThat(delegation(0).number("ttl_seconds")).isEqualTo(3600);
        }

        @Test
        void manyResultsFlow() {
            Flux<String> edges = caracal.spawnMany(context -> caracal.delegateMany(
                    SPEC,
                    derived -> Flux.range(0, 2)
                            .map(i -> i + derived.delegationEdgeId().orElse(""))));
            StepVerifier.create(edges)
                    .expectNext("0edge-1", "1edge-1")
                    .expectComplete()
                    .verify(LIMIT);
        }

        /** A delegation to another session is not authority of the issuer: no child or later delegation derives from it. */
        @Test
        void whatIsIssuedIsNotPassedOnAgain() {
            Mono<List<CaracalContext>> work = caracal.spawn(root -> caracal.delegate(
                    SPEC,
                    first -> caracal.delegate(
                            SPEC, second -> caracal.spawn(child -> Mono.just(List.of(first, second, child))))));
            List<CaracalContext> seen = get(work);
            assertThat(delegation(0).has("parent_edge_id")).isFalse();
            assertThat(delegation(1).has("parent_edge_id")).isFalse();
            assertThat(seen.get(1).delegationEdgeId()).contains("edge-2");
            assertThat(seen.get(1).parentEdgeId()).isEmpty();
            assertThat(seen.get(2).delegationEdgeId()).isEmpty();
            assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(1)))
                    .doesNotContain("inherit_parent_edge_id")
                    .contains("\"parent_id\":\"session-1\"");
        }
    }

    @Nested
    class Revoking {
        @Test
        void revokeOnEndRevokesOnCompletionErrorAndCancel() {
            StepVerifier.create(caracal.spawn(context -> caracal.delegate(revoking(), derived -> Mono.just("done"))))
                    .expectNext("done")
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isRevoke)).hasSize(1);
            fails(
                    caracal.spawn(context ->
                            caracal.delegate(revoking(), derived -> Mono.error(new IllegalStateException("work")))),
                    e -> assertThat(e).hasMessage("work"));
            assertThat(platform.requests(FakePlatform::isRevoke)).hasSize(2);
            caracal.spawn(context -> caracal.delegate(revoking(), derived -> Mono.never()))
                    .subscribe()
                    .dispose();
            assertThat(platform.requests(FakePlatform::isRevoke)).hasSize(3);
            assertThat(platform.edges()).isEmpty();
        }

        @Test
        void aCancelDuringTheCreationRunsItToItsEndAndRevokes() {
            Sinks.Empty<Void> gate = Sinks.empty();
            platform.next(FakePlatform::isDelegate, real -> real.delayUntil(r -> gate.asMono()));
            caracal.spawn(context -> caracal.delegate(revoking(), derived -> Mono.just("done")))
                    .subscribe()
                    .dispose();
            assertThat(platform.edges()).containsOnlyKeys("edge-1");
            assertThat(platform.ended()).as("the session waits for it").isEmpty();
            gate.tryEmitEmpty().orThrow();
            assertThat(platform.edges()).isEmpty();
            assertThat(platform.ended()).containsExactly("session-1");
        }

        @Test
        void aFailedRevocationMasksNothing() {
            platform.nextAnswer(FakePlatform::isRevoke, 403, "{\"error\":\"issuer_ownership_required\"}");
            platform.nextAnswer(FakePlatform::isRevoke, 403, "{\"error\":\"issuer_ownership_required\"}");
            StepVerifier.create(caracal.spawn(context -> caracal.delegate(revoking(), derived -> Mono.just("done"))))
                    .expectNext("done")
                    .expectComplete()
                    .verify(LIMIT);
            fails(
                    caracal.spawn(context ->
                            caracal.delegate(revoking(), derived -> Mono.error(new IllegalStateException("work")))),
                    e -> {
                        assertThat(e).hasMessage("work");
                        assertThat(e.getSuppressed()).hasAtLeastOneElementOfType(CoordinatorException.class);
                    });
        }

        @Test
        void revoke_endsADelegationAndOneThatHasEndedCountsAsRevoked() {
            platform.edges().put("edge-7", "target-1");
            Mono<Void> revoke = caracal.revokeDelegation("edge-7");
            assertThat(platform.requests(r -> true)).isEmpty();
            StepVerifier.create(revoke).expectComplete().verify(LIMIT);
            StepVerifier.create(revoke).as("again").expectComplete().verify(LIMIT);
            assertThat(platform.edges()).isEmpty();
            HttpRequest sent = platform.requests(FakePlatform::isRevoke).get(0);
            assertThat(sent.uri().getPath()).isEqualTo("/zones/zone-1/delegations/edge-7/revoke");
            assertThat(sent.body()).isNull();
            assertThat(FakePlatform.header(sent, "Content-Type")).isNull();

            platform.nextAnswer(FakePlatform::isRevoke, 404, "{\"error\":\"Not Found\"}");
            fails(revoke, e -> assertThat(e).isInstanceOf(CoordinatorException.class));
        }

        /** Revoking kills the token that the target session was started with. */
        @Test
        void revoke_theNextCallGetsANewToken() {
            platform.edges().put("edge-7", "target-1");
            StepVerifier.create(caracal.revokeDelegation("edge-7"))
                    .expectComplete()
                    .verify(LIMIT);
            platform.nextAnswer(FakePlatform::isOpen, 401, "{\"error\":\"identity_revoked\"}");
            assertThat((Object) get(caracal.spawn(context -> Mono.just("done"))))
                    .isEqualTo("done");
            assertThat(platform.requests(FakePlatform::isToken)).hasSize(2);
        }
    }

    @Nested
    class Creating {
        @Test
        void theHandleSaysWhatWasDelegated() {
            Delegation handle = get(caracal.spawn(context -> caracal.createDelegation(SPEC)));
            assertThat(handle)
                    .isEqualTo(new Delegation(
                            "edge-1",
                            "session-1",
                            "target-1",
                            "app-2",
                            List.of("payment:submit", "payment:read"),
                            Instant.parse("2030-01-01T00:00:00Z")));
            assertThat(platform.requests(FakePlatform::isRevoke)).isEmpty();
        }

        @Test
        void theCallersKeyGivesTheSameDelegation() {
            DelegationSpec spec = DelegationSpec.builder()
                    .to("target-1", "app-2")
                    .scopes("a")
                    .idempotencyKey("order-7")
                    .build();
            List<String> ids = get(caracal.spawn(context -> caracal.createDelegation(spec)
                    .repeat(1)
                    .map(Delegation::delegationEdgeId)
                    .collectList()));
            assertThat(ids).containsExactly("edge-1", "edge-1");
            assertThat((Object) get(caracal.spawn(context -> caracal.createDelegation(SPEC)
                            .repeat(1)
                            .map(Delegation::delegationEdgeId)
                            .collectList())))
                    .as("a key for each subscription")
                    .isEqualTo(List.of("edge-2", "edge-3"));
        }

        @Test
        void creation_isTriedTwiceUnderOneKey() {
            platform.nextLost(
                    FakePlatform::isDelegate, new TransportException(TransportException.Kind.IO, "lost", null));
            StepVerifier.withVirtualTime(() -> {
                        Caracal virtual = platform.client();
                        return virtual.spawn(context -> virtual.createDelegation(SPEC));
                    })
                    .thenAwait(Duration.ofSeconds(1))
                    .assertNext(handle -> assertThat(handle.delegationEdgeId()).isEqualTo("edge-1"))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(platform.requests(FakePlatform::isDelegate).stream()
                            .map(r -> FakePlatform.header(r, "Idempotency-Key"))
                            .distinct())
                    .hasSize(1);
            assertThat(platform.requests(FakePlatform::isDelegate)).hasSize(2);
        }
    }

    @Nested
    class Accepting {
        @Test
        void accept_presentsTheDelegationInTheReceiversSession() {
            CaracalContext context =
                    get(caracal.spawn(own -> caracal.acceptDelegation("edge-7", derived -> caracal.current())));
            assertThat(context.agentSessionId()).isEqualTo("session-1");
            assertThat(context.delegationEdgeId()).contains("edge-7");
            assertThat(context.hop()).isEqualTo(1);
            assertThat(platform.requests(FakePlatform::isInbound)).isEmpty();

            // A session may pass on a received delegation.
            assertThat((Object) get(caracal.spawn(own -> caracal.acceptDelegation(
                            "edge-7",
                            derived ->
                                    caracal.createDelegation(SPEC).then(caracal.spawn(child -> Mono.just("done")))))))
                    .isEqualTo("done");
            assertThat(delegation(0).string("parent_edge_id")).isEqualTo("edge-7");
            assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(2)))
                    .contains("\"inherit_parent_edge_id\":\"edge-7\"");
            StepVerifier.create(caracal.spawnMany(own -> caracal.acceptDelegationMany(
                            "edge-7", Acceptance.UNCHECKED, derived -> Mono.justOrEmpty(derived.delegationEdgeId()))))
                    .expectNext("edge-7")
                    .expectComplete()
                    .verify(LIMIT);
        }

        @Test
        void accept_asksTheCoordinatorFirstWhenToldTo() {
            platform.edges().put("edge-7", "session-1");
            assertThat((Object) get(caracal.spawn(own -> caracal.acceptDelegation(
                            "edge-7", Acceptance.VALIDATED, derived -> Mono.justOrEmpty(derived.delegationEdgeId())))))
                    .isEqualTo("edge-7");
            assertThat(platform.requests(FakePlatform::isInbound).get(0).uri().getPath())
                    .isEqualTo("/zones/zone-1/delegations/inbound/session-1/edge-7");
            fails(
                    caracal.spawn(own -> caracal.acceptDelegation(
                            "edge-7", Acceptance.VALIDATED, derived -> Mono.error(new AssertionError("the work ran")))),
                    reason(Reason.NOT_ACTIVE));
            platform.nextAnswer(FakePlatform::isInbound, 200, "{\"id\":\"edge-7\",\"status\":\"revoked\"}");
            fails(
                    caracal.spawn(own -> caracal.acceptDelegation("edge-7", Acceptance.VALIDATED, Mono::just)),
                    reason(Reason.NOT_ACTIVE).andThen(e -> assertThat(e).hasMessageContaining("ask for a new one")));
            platform.nextAnswer(FakePlatform::isInbound, 404, "{\"error\":\"Not Found\"}");
            fails(
                    caracal.spawn(own -> caracal.acceptDelegation("edge-7", Acceptance.VALIDATED, Mono::just)),
                    e -> assertThat(e).isInstanceOf(CoordinatorException.class));
        }
    }

    @Nested
    class Refusing {
        @Test
        void badInput_isRefusedBeforeAnyCall() {
            DelegationSpec.Builder builder = DelegationSpec.builder();
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.to("..", "app-2"))
                    .withMessageContaining("agentSessionId");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.to("target-1", "a/b"))
                    .withMessageContaining("applicationId");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.scopes())
                    .withMessageContaining("scopes");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.scopes(" "))
                    .withMessageContaining("scopes");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.resource(""))
                    .withMessageContaining("resource");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.ttl(Duration.ZERO))
                    .withMessageContaining("ttl");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> builder.idempotencyKey(""))
                    .withMessageContaining("idempotencyKey");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> DelegationSpec.builder().scopes("a").build())
                    .withMessageContaining("to:");
            assertThatIllegalArgumentException()
                    .isThrownBy(() ->
                            DelegationSpec.builder().to("target-1", "app-2").build())
                    .withMessageContaining("scopes:");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> caracal.acceptDelegation("..", Mono::just))
                    .withMessageContaining("delegationEdgeId");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> caracal.acceptDelegationMany("a/b", Acceptance.UNCHECKED, Mono::just))
                    .withMessageContaining("delegationEdgeId");
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> caracal.revokeDelegation(""))
                    .withMessageContaining("delegationEdgeId");
            Consumer<Throwable> noContext =
                    e -> assertThat(e).isInstanceOf(NoContextException.class).hasMessageContaining("spawn(");
            fails(caracal.delegate(SPEC, Mono::just), noContext);
            fails(caracal.delegateMany(SPEC, Mono::just).then(), noContext);
            fails(caracal.createDelegation(SPEC), noContext);
            fails(caracal.acceptDelegation("edge-7", Mono::just), noContext);
            assertThat(platform.requests(r -> true)).isEmpty();
        }

        @Test
        void badInput_aDelegationToOneselfIsRefusedBeforeAnyCall() {
            DelegationSpec self = DelegationSpec.builder()
                    .to("session-1", "app-1")
                    .scopes("a")
                    .build();
            fails(
                    caracal.spawn(context -> caracal.createDelegation(self)),
                    reason(Reason.SELF).andThen(e -> assertThat(e).hasMessageContaining("to(...)")));
            assertThat(platform.requests(FakePlatform::isDelegate)).isEmpty();
        }

        @Test
        void badInput_anUnknownTargetIsATypedErrorThatNamesTheRemedy() {
            platform.nextAnswer(FakePlatform::isDelegate, 404, "{\"error\":\"delegation_endpoint_not_found\"}");
            fails(
                    caracal.spawn(context -> caracal.delegate(SPEC, Mono::just)),
                    e -> assertThat(e)
                            .isInstanceOf(CoordinatorException.class)
                            .hasMessageContaining("its ttl was over")
                            .hasMessageContaining("to(...)"));
        }

        @Test
        void badInput_aSessionWhoseTimeIsOverIsSaidToHaveEnded() {
            VirtualTimeScheduler time = VirtualTimeScheduler.getOrSet();
            try {
                Caracal client = platform.client();
                SpawnOptions brief =
                        SpawnOptions.builder().ttl(Duration.ofMinutes(1)).build();
                Mono<Delegation> late = Mono.delay(Duration.ofMinutes(1)).then(client.createDelegation(SPEC));
                StepVerifier.create(client.spawn(brief, session -> late))
                        .then(() -> time.advanceTimeBy(Duration.ofMinutes(1)))
                        .expectErrorSatisfies(e -> assertThat(e)
                                .isInstanceOf(ClosedException.class)
                                .hasMessageContainingAll("session-1 has ended", "ttl")
                                .hasMessageNotContaining("to(...)"))
                        .verify(LIMIT);
                assertThat(platform.requests(FakePlatform::isDelegate)).isEmpty();
                StepVerifier.create(client.disposeLater()).expectComplete().verify(LIMIT);
            } finally {
                VirtualTimeScheduler.reset();
            }
        }

        @Test
        void anEndedSessionAndAClosedClientSendNothing() {
            CaracalContext ended = get(caracal.spawn(Mono::just));
            int before = platform.requests(r -> true).size();
            Consumer<Throwable> closed = e -> assertThat(e).isInstanceOf(ClosedException.class);
            fails(caracal.bind(ended, caracal.createDelegation(SPEC)), closed);
            fails(caracal.bind(ended, caracal.acceptDelegation("edge-7", Mono::just)), closed);
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            fails(caracal.bind(ended, caracal.delegate(SPEC, Mono::just)), closed);
            fails(caracal.revokeDelegation("edge-7"), closed);
            assertThat(platform.requests(r -> true)).hasSize(before);
        }
    }

    @Nested
    class Telling {
        @Test
        void everyOperationTellsOfItself() {
            List<CaracalEvent> events = Collections.synchronizedList(new ArrayList<>());
            Disposable listening = caracal.onEvent(events::add);
            platform.edges().put("edge-7", "session-1");
            assertThat((Object) get(caracal.spawn(context -> caracal.delegate(revoking(), derived -> Mono.just(1))
                            .then(caracal.acceptDelegation("edge-7", Acceptance.VALIDATED, derived -> Mono.just(2)))
                            .then(caracal.acceptDelegation("edge-8", derived -> Mono.just(3))))))
                    .isEqualTo(3);
            platform.nextAnswer(FakePlatform::isDelegate, 403, "{\"error\":\"parent_delegation_not_active\"}");
            fails(
                    caracal.spawn(context -> caracal.createDelegation(SPEC)),
                    e -> assertThat(e).isInstanceOf(CoordinatorException.class));
            StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
            listening.dispose();
            assertThat(events.stream()
                            .filter(e -> e.getClass().getSimpleName().startsWith("Delegation"))
                            .map(DelegationTest::text))
                    .containsExactly(
                            "created edge-1 session-1 target-1 SUCCESS 201 null",
                            "revoked edge-1 SUCCESS 200 null",
                            "accepted edge-7 session-1 SUCCESS 200 null",
                            "accepted edge-8 session-1 SUCCESS 0 null",
                            "created null session-2 target-1 FAILURE 403 parent_delegation_not_active");
        }

        /** The description is a readable chain of applications, sessions and delegations, without secrets. */
        @Test
        void describeAuthority_saysWhoActsForWhom() {
            SpawnOptions root = SpawnOptions.builder()
                    .labels("coordinator")
                    .subjectAuthorityRecordId("record-1")
                    .build();
            SpawnOptions narrowed = SpawnOptions.builder()
                    .grant(Grant.narrow("a", "b").resource("resource://tickets").constraints(c -> c.maxHops(3)))
                    .build();
            SpawnOptions nothing = SpawnOptions.builder().grant(Grant.none()).build();
            String text = get(caracal.spawn(
                    root,
                    r -> caracal.spawn(
                            narrowed,
                            n -> caracal.spawn(i -> caracal.delegate(
                                    SPEC,
                                    d -> caracal.spawn(
                                            nothing,
                                            x -> caracal.acceptDelegation(
                                                    "edge-7", a -> caracal.describeAuthority())))))));
            assertThat(text).isEqualTo("""
                            application app-1 in zone zone-1, for the user of authority record record-1
                              session session-1 (coordinator) holds the application's authority
                                session session-2 (app-1) holds delegation edge-1, narrowed to a b at resource://tickets within DelegationConstraints{max_hops=3}
                                  session session-3 (app-1) holds delegation edge-2, inherited from its parent
                                    session session-4 holds nothing of its parent's authority
                                      session session-4 acts under delegation edge-7, which it received""");
            String issuing = get(caracal.spawn(r -> caracal.delegate(SPEC, d -> caracal.describeAuthority())));
            assertThat(issuing)
                    .endsWith("session session-5 holds the application's authority\n"
                            + "    session session-5 shows delegation edge-4, which it issued to session target-1 of application "
                            + "app-2 for payment:submit payment:read");
            assertThat(text).doesNotContain("token-", "secret");
            StepVerifier.create(caracal.describeAuthority())
                    .as("outside a session")
                    .expectComplete()
                    .verify(LIMIT);
        }
    }
}
