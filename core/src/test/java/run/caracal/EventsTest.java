package run.caracal;

import static java.util.Map.entry;
import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Predicate;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.test.StepVerifier;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.event.CaracalEvent;
import run.caracal.event.CaracalEvent.CoordinatorCall;
import run.caracal.event.CaracalEvent.DelegationAccepted;
import run.caracal.event.CaracalEvent.DelegationCreated;
import run.caracal.event.CaracalEvent.DelegationRevoked;
import run.caracal.event.CaracalEvent.GatewayCall;
import run.caracal.event.CaracalEvent.LeaseLost;
import run.caracal.event.CaracalEvent.LeaseRenewed;
import run.caracal.event.CaracalEvent.MandateMinted;
import run.caracal.event.CaracalEvent.SessionOpened;
import run.caracal.event.Completion.Outcome;
import run.caracal.event.OperationListener;
import run.caracal.http.HttpRequest;
import run.caracal.http.OutboundDecision;
import run.caracal.test.Everything;
import run.caracal.test.FakePlatform;
import run.caracal.test.SentHeaders;

/** Every operation emits a complete event, and a listener does not affect the operation. */
class EventsTest {
    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    private List<CaracalEvent> of(Class<? extends CaracalEvent> kind, List<CaracalEvent> events) {
        return events.stream().filter(kind::isInstance).toList();
    }

    @Test
    void everyKindIsEmitted_withOutcomeDurationStatusCodeAndRequestId() {
        List<CaracalEvent> events = new CopyOnWriteArrayList<>();
        var listening = caracal.onEvent(events::add);
        List<CaracalEvent> operations = new CopyOnWriteArrayList<>();
        var observing = caracal.onOperation((event, context) -> operations.add(event));
        FakePlatform limited = new FakePlatform();
        Caracal left = limited.client();
        listening = Disposables.composite(listening, left.onEvent(events::add));
        observing = Disposables.composite(observing, left.onOperation((event, context) -> operations.add(event)));
        leaveASessionBehind(limited, left);
        Caracal gated =
                Caracal.create(new FakePlatform().config().maxOpenSessions(2).build());
        listening = Disposables.composite(listening, gated.onEvent(events::add));
        observing = Disposables.composite(observing, gated.onOperation((event, context) -> operations.add(event)));
        waitForAPlace(gated);
        Everything.doAll(platform, caracal);
        listening.dispose();
        observing.dispose();
        assertThat(events).as("both ways tell the same").containsExactlyInAnyOrderElementsOf(operations);
        List<?> kinds = Arrays.stream(CaracalEvent.class.getDeclaredClasses())
                .filter(CaracalEvent.class::isAssignableFrom)
                .toList();
        assertThat(kinds).hasSize(17);
        assertThat(events)
                .extracting(Object::getClass)
                .containsAll(kinds.stream().map(kind -> (Class<?>) kind).toList());
        assertThat(events).allSatisfy(event -> {
            assertThat(event.completion().duration()).isBetween(Duration.ZERO, LIMIT);
            boolean failed = event.completion().outcome() == Outcome.FAILURE;
            assertThat(event.completion().code() != null).isEqualTo(failed);
        });
        Map<Class<? extends CaracalEvent>, Integer> statuses = Map.ofEntries(
                entry(MandateMinted.class, 200),
                entry(CaracalEvent.SubjectFederated.class, 200),
                entry(CaracalEvent.InboundRequest.class, 0),
                entry(CaracalEvent.ApprovalAwaited.class, 200),
                entry(SessionOpened.class, 201),
                entry(DelegationCreated.class, 201),
                entry(DelegationAccepted.class, 200),
                entry(DelegationRevoked.class, 200),
                entry(GatewayCall.class, 200));
        statuses.forEach((kind, status) -> assertThat(of(kind, events))
                .as(kind.getSimpleName())
                .allSatisfy(event -> {
                    assertThat(event.completion().outcome()).isEqualTo(Outcome.SUCCESS);
                    assertThat(event.completion().status()).isEqualTo(status);
                }));
        assertThat(of(MandateMinted.class, events))
                .singleElement()
                .satisfies(e -> assertThat(e.completion().requestId()).isEqualTo("r-mint"));
        assertThat(of(GatewayCall.class, events))
                .as("one event per call")
                .singleElement()
                .satisfies(e -> {
                    assertThat(((GatewayCall) e).resource()).isEqualTo(Everything.RESOURCE);
                    assertThat(e.completion().requestId()).isEqualTo("r-call");
                });
        assertThat(of(LeaseRenewed.class, events))
                .extracting(e -> e.completion().status())
                .containsExactly(200, 409);
        assertThat(of(LeaseLost.class, events)).hasSize(1);
        assertThat(events.toString()).doesNotContain("token-").doesNotContain("the-client-secret");
    }

    /** A rate limit outlasts the termination, which the client then goes on with until it is closed. */
    private static void leaveASessionBehind(FakePlatform limited, Caracal client) {
        for (int i = 0; i < 6; i++) {
            limited.nextAnswer(FakePlatform::isTerminate, 429, "{\"error\":\"rate_limited\"}");
        }
        StepVerifier.create(client.spawn(context -> Mono.just(1)))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(client.disposeLater()).expectComplete().verify(LIMIT);
    }

    /** The second session waits until the first has ended. */
    private static void waitForAPlace(Caracal client) {
        Sinks.Empty<Void> done = Sinks.empty();
        StepVerifier.create(Mono.when(client.spawn(context -> done.asMono()), client.spawn(context -> Mono.empty())))
                .then(() -> assertThat(done.tryEmitEmpty()).isEqualTo(Sinks.EmitResult.OK))
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(client.disposeLater()).expectComplete().verify(LIMIT);
    }

    private void refused(Predicate<HttpRequest> which, Class<? extends CaracalEvent> kind, Mono<?> operation) {
        List<CaracalEvent> events = new CopyOnWriteArrayList<>();
        var observing = caracal.onOperation((event, context) -> events.add(event));
        platform.nextAnswer(which, 403, "{\"error\":\"missing_scope\",\"requestId\":\"r-9\"}");
        StepVerifier.create(operation).expectError().verify(LIMIT);
        observing.dispose();
        assertThat(of(kind, events)).singleElement().satisfies(event -> {
            assertThat(event.completion().outcome()).isEqualTo(Outcome.FAILURE);
            assertThat(event.completion().status()).isEqualTo(403);
            assertThat(event.completion().code()).isEqualTo("missing_scope");
            assertThat(event.completion().requestId()).isEqualTo("r-9");
        });
    }

    @Test
    void aRefusalSaysWhatTheServiceSaid() {
        DelegationSpec spec = DelegationSpec.builder()
                .to("target-1", "app-2")
                .scopes("a")
                .resource(Everything.RESOURCE)
                .build();
        refused(FakePlatform::isOpen, SessionOpened.class, caracal.spawn(Mono::just));
        refused(
                FakePlatform::isMint,
                MandateMinted.class,
                caracal.spawn(context -> caracal.mintMandate(Everything.RESOURCE, "a")));
        refused(
                FakePlatform::isDelegate,
                DelegationCreated.class,
                caracal.spawn(context -> caracal.createDelegation(spec)));
        refused(
                FakePlatform::isInbound,
                DelegationAccepted.class,
                caracal.spawn(context -> caracal.acceptDelegation("edge-9", Acceptance.VALIDATED, Mono::just)));
        refused(FakePlatform::isRevoke, DelegationRevoked.class, caracal.revokeDelegation("edge-9"));
        close();
    }

    private OutboundDecision toGateway() {
        OutboundDecision call = Objects.requireNonNull(caracal.spawn(context -> Mono.deferContextual(
                        view -> caracal.outbound().resolve(FakePlatform.GATEWAY + "/x", Everything.RESOURCE, view)))
                .block(LIMIT));
        SentHeaders headers = new SentHeaders();
        headers.set("X-Caracal-Resource", Everything.RESOURCE);
        call.edit(headers);
        return call;
    }

    @Test
    void aGatewayCallThatIsNotObservedCostsNothing() {
        assertThat(toGateway().isObserved()).isFalse();
        toGateway().ended(200, null);
        close();
    }

    @Test
    void howAGatewayCallEnds() {
        List<CaracalEvent> events = new CopyOnWriteArrayList<>();
        var observing = caracal.onOperation((event, context) -> events.add(event));
        toGateway().ended(503, null);
        toGateway().ended(0, new IllegalStateException("reset"));
        toGateway().ended(0, null);
        Mono<OutboundDecision> elsewhere = caracal.spawn(context ->
                Mono.deferContextual(view -> caracal.outbound().resolve("https://other.example.com/", null, view)));
        StepVerifier.create(elsewhere)
                .assertNext(call -> assertThat(call.isObserved()).isFalse())
                .expectComplete()
                .verify(LIMIT);
        observing.dispose();
        assertThat(of(GatewayCall.class, events))
                .extracting(e -> e.completion().outcome() + " " + e.completion().status() + " "
                        + e.completion().code())
                .containsExactly("FAILURE 503 http_status", "FAILURE 0 error", "CANCELLED 0 null");
        assertThat(of(GatewayCall.class, events))
                .allSatisfy(e -> assertThat(e.completion().requestId()).hasSize(32));
        close();
    }

    /** The Context entries of a listener are visible to the nested operations, and at the end of the operation. */
    @Test
    void anOperationListenerIsCalledAtTheStartAndTheEnd() {
        List<String> heard = new CopyOnWriteArrayList<>();
        var observing = caracal.onOperation(new OperationListener() {
            @Override
            public Context started(Class<? extends CaracalEvent> kind, Context context) {
                String above = context.getOrDefault("above", "-");
                heard.add("started " + kind.getSimpleName() + " under " + above);
                return context.put("above", kind.getSimpleName());
            }

            @Override
            public void ended(CaracalEvent event, ContextView context) {
                heard.add("ended " + event.getClass().getSimpleName() + " as " + context.getOrDefault("above", "-"));
            }
        });
        StepVerifier.create(caracal.spawn(context -> Mono.just(1)
                        .delayUntil(one -> Mono.deferContextual(view -> {
                            assertThat(view.hasKey("above"))
                                    .as("the work is not part of it")
                                    .isFalse();
                            return Mono.empty();
                        }))))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        observing.dispose();
        close();
        assertThat(heard)
                .containsSubsequence(
                        "started SessionOpened under -",
                        "started CoordinatorCall under SessionOpened",
                        "started TokenExchange under -",
                        "ended TokenExchange as TokenExchange",
                        "ended CoordinatorCall as CoordinatorCall",
                        "ended SessionOpened as SessionOpened",
                        "started SessionClosed under -",
                        "started CoordinatorCall under SessionClosed",
                        "ended SessionClosed as SessionClosed");
    }

    /** A failing listener would warn with every operation, so the warning is throttled. */
    @Test
    void aListenerThatThrowsChangesNothing_andDoesNotFillTheLog() {
        PrintStream before = System.err;
        ByteArrayOutputStream logged = new ByteArrayOutputStream();
        System.setErr(new PrintStream(logged, true, StandardCharsets.UTF_8));
        try {
            var failing = caracal.onOperation(new OperationListener() {
                @Override
                public Context started(Class<? extends CaracalEvent> kind, Context context) {
                    throw new IllegalStateException("start");
                }

                @Override
                public void ended(CaracalEvent event, ContextView context) {
                    throw new IllegalStateException("end");
                }
            });
            StepVerifier.create(Flux.range(0, 100).concatMap(i -> caracal.spawn(context -> Mono.just(i))))
                    .expectNextCount(100)
                    .expectComplete()
                    .verify(LIMIT);
            failing.dispose();
            close();
        } finally {
            System.setErr(before);
        }
        assertThat(logged.toString(StandardCharsets.UTF_8)).containsOnlyOnce("An event listener failed");
    }

    /** An outage is warned about, not every session in it. */
    @Test
    void sessionsThatCannotBeClosedDoNotFillTheLog() {
        PrintStream before = System.err;
        ByteArrayOutputStream logged = new ByteArrayOutputStream();
        System.setErr(new PrintStream(logged, true, StandardCharsets.UTF_8));
        try {
            for (int i = 0; i < 50; i++) {
                platform.nextAnswer(FakePlatform::isTerminate, 403, "{\"error\":\"missing_scope\"}");
            }
            StepVerifier.create(Flux.range(0, 50).concatMap(i -> caracal.spawn(context -> Mono.just(i))))
                    .expectNextCount(50)
                    .expectComplete()
                    .verify(LIMIT);
        } finally {
            System.setErr(before);
        }
        platform.live().clear();
        close();
        assertThat(logged.toString(StandardCharsets.UTF_8))
                .containsOnlyOnce("could not be opened or closed")
                .doesNotContain("token-1");
    }

    private void close() {
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.live()).isEmpty();
    }

    /** The event of a coordinator call counts the attempts and shows the last answer. */
    @Test
    void aRetriedCallIsOneEvent() {
        List<CaracalEvent> events = new CopyOnWriteArrayList<>();
        var observing = caracal.onOperation((event, context) -> events.add(event));
        platform.nextAnswer(FakePlatform::isOpen, 503, "{\"error\":\"unavailable\"}");
        StepVerifier.create(caracal.spawn(context -> Mono.just(1)))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        observing.dispose();
        assertThat(of(CoordinatorCall.class, events))
                .filteredOn(e -> ((CoordinatorCall) e).operation().equals("open"))
                .singleElement()
                .satisfies(e -> {
                    assertThat(((CoordinatorCall) e).attempts()).isEqualTo(2);
                    assertThat(e.completion().status()).isEqualTo(201);
                });
        close();
    }
}
