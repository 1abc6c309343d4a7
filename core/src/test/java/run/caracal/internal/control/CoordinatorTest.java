package run.caracal.internal.control;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.config.CaracalConfig;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.internal.ParallelTimer;
import run.caracal.internal.capacity.Place;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.token.TokenCache;
import run.caracal.internal.wire.CreateDelegation;
import run.caracal.internal.wire.OpenSession;
import run.caracal.test.FakePlatform;

/** Which operations run where no code of users can block them. */
class CoordinatorTest {
    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final EventBus events = new EventBus();
    private final Scheduler callers = Schedulers.newSingle("callers", true);
    private final Scheduler secrets = Schedulers.newSingle("secrets", true);
    private final Set<String> apart = ConcurrentHashMap.newKeySet();
    private final Set<String> calls = ConcurrentHashMap.newKeySet();
    private final Set<String> polls = ConcurrentHashMap.newKeySet();
    private final Set<String> resolving = ConcurrentHashMap.newKeySet();
    private final CaracalConfig config = platform.config()
            .clientSecret(() -> Mono.fromSupplier(() -> {
                resolving.add(Thread.currentThread().getName());
                return "the-client-secret";
            }))
            .build();
    private final HttpTransport own = onItsOwnThread(apart);
    private final StsClient sts =
            new StsClient(config, own, onItsOwnThread(calls), onItsOwnThread(polls), secrets, events);
    private final TokenCache tokens = new TokenCache(sts, ParallelTimer.INSTANCE, () -> callers);
    private final Coordinator coordinator = new Coordinator(
            config,
            new Coordinator.Apart(own, Schedulers.parallel()),
            onItsOwnThread(calls),
            tokens,
            events,
            ParallelTimer.INSTANCE,
            () -> callers,
            new ClientState());

    /** Answers on the thread of a transport, and notes the route. */
    private HttpTransport onItsOwnThread(Set<String> routes) {
        return new HttpTransport() {
            @Override
            public Mono<HttpResponse> exchange(HttpRequest request) {
                String path = request.uri().getPath();
                routes.add(request.method() + " " + path.substring(path.lastIndexOf('/') + 1));
                return platform.exchange(request).publishOn(Schedulers.boundedElastic());
            }

            @Override
            public Mono<Void> disposeLater() {
                return Mono.empty();
            }

            @Override
            public void dispose() {}

            @Override
            public boolean isDisposed() {
                return false;
            }
        };
    }

    @AfterEach
    void stop() {
        callers.dispose();
        secrets.dispose();
        StepVerifier.create(events.close()).expectComplete().verify(LIMIT);
    }

    private Mono<String> opened(OpenSession.Builder request) {
        return coordinator
                .open(request.ownOrGeneratedKey(null).build(), false, Envelope.EMPTY, () -> false, Place.UNCOUNTED)
                .map(timed -> timed.answer().agentSessionId());
    }

    private static OpenSession.Builder request() {
        return OpenSession.builder("zone-1", "app-1");
    }

    private static Mono<Boolean> isOnCallersThread() {
        return Mono.fromSupplier(() -> Thread.currentThread().getName().startsWith("callers"));
    }

    @Test
    void renewalsAndEndsRunApartAndTheRestWithTheCalls() {
        Mono<Void> all = Flux.zip(
                        opened(request().task(Duration.ofMinutes(1))),
                        opened(request().service()))
                .flatMap(ids -> {
                    CreateDelegation delegation = CreateDelegation.builder("zone-1", List.of("a:b"))
                            .issuer("app-1", ids.getT1())
                            .receiver("app-1", ids.getT2())
                            .ttlSeconds(60)
                            .idempotencyKey("key")
                            .build();
                    return coordinator
                            .attach(ids.getT2(), Envelope.EMPTY, () -> false)
                            .then(coordinator.delegate(delegation, Envelope.EMPTY, () -> false))
                            .flatMap(edge -> {
                                String id = edge.answer().delegationEdgeId();
                                return coordinator
                                        .inbound(ids.getT2(), id, Envelope.EMPTY)
                                        .doOnNext(unused -> {
                                            assertThat(apart).containsExactly("POST token");
                                            calls.remove("POST delegations");
                                        })
                                        .then(coordinator.renewDelegation(delegation, Envelope.EMPTY))
                                        .then(coordinator.renew(ids.getT2(), "healthy", 2L, Envelope.EMPTY))
                                        .then(coordinator.revoke(id, Envelope.EMPTY))
                                        .then(coordinator.terminate(
                                                ids.getT2(), 2L, null, Envelope.EMPTY, Place.UNCOUNTED))
                                        .then(coordinator.terminate(
                                                ids.getT1(), null, null, Envelope.EMPTY, Place.UNCOUNTED))
                                        .then();
                            });
                })
                .then();
        StepVerifier.create(all).expectComplete().verify(LIMIT);
        assertThat(calls)
                .allMatch(route -> route.endsWith("agents") || route.endsWith("lease") || route.startsWith("GET "));
        assertThat(apart).anyMatch(route -> route.endsWith("heartbeat"));
        assertThat(apart).contains("POST token", "POST delegations", "PATCH revoke");
        assertThat(apart).filteredOn(route -> route.startsWith("DELETE")).hasSize(2);
    }

    @Test
    void aSecretIsResolvedOnAThreadOfItsOwnAndAnApprovalIsPolledBesideTheCalls() {
        StepVerifier.create(tokens.get()).expectNextCount(1).expectComplete().verify(LIMIT);
        assertThat(resolving).singleElement().asString().startsWith("secrets");
        StepVerifier.create(sts.approvalState("approval-1", Duration.ofSeconds(1))
                        .then()
                        .onErrorComplete())
                .expectComplete()
                .verify(LIMIT);
        assertThat(polls).hasSize(1);
    }

    @Test
    void aCallerGoesOnOnItsOwnThreadsBehindATokenARevocationAndTheirFailures() {
        StepVerifier.create(coordinator.revoke("unknown", Envelope.EMPTY).then(isOnCallersThread()))
                .expectNext(true)
                .expectComplete()
                .verify(LIMIT);

        StepVerifier.create(tokens.getForCaller()
                        .doOnNext(tokens::reject)
                        .then(tokens.getForCaller())
                        .then(isOnCallersThread()))
                .expectNext(true)
                .expectComplete()
                .verify(LIMIT);
        platform.always(
                request -> request.uri().getPath().endsWith("/token"),
                answer -> Mono.error(new IllegalStateException("refused")));
        StepVerifier.create(tokens.getForCaller()
                        .doOnNext(tokens::reject)
                        .then(tokens.getForCaller())
                        .map(token -> false)
                        .onErrorResume(refused -> isOnCallersThread()))
                .expectNext(true)
                .expectComplete()
                .verify(LIMIT);
        assertThat(apart).contains("POST token");
    }
}
