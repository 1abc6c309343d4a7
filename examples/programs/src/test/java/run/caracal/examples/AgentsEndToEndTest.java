package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.test.StepVerifier;
import reactor.util.context.Context;
import run.caracal.Acceptance;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.Delegation;
import run.caracal.DelegationSpec;
import run.caracal.GatewayRequest;
import run.caracal.Grant;
import run.caracal.ServiceAgent;
import run.caracal.ServiceOptions;
import run.caracal.SpawnOptions;
import run.caracal.error.CoordinatorException;
import run.caracal.error.DelegationException;
import run.caracal.error.LeaseLostException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.netty.CaracalHttp;
import run.caracal.platform.DelegationSnapshot;
import run.caracal.platform.Fault;
import run.caracal.platform.FaultRule;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.ProtectedResource;
import run.caracal.platform.Service;
import run.caracal.platform.SessionSnapshot;
import run.caracal.test.Effort;

/** Grants, delegations and leases on sockets and in real time, against the local platform. */
class AgentsEndToEndTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration LEASE = Duration.ofSeconds(Effort.of(8, 12));
    private static final String BOOKS = "resource://books";
    private static final String CHARGE = "billing:charge";
    private static final String READ = "billing:read";

    private final LocalPlatform platform = LocalPlatform.builder()
            .application("app-local", "secret-1")
            .application("app-peer", "secret-2")
            .resource(ProtectedResource.of("resource://billing-api", CHARGE, READ))
            .resource(ProtectedResource.of(BOOKS, CHARGE, READ).withOwner("app-peer"))
            .limits(PlatformLimits.builder()
                    .serviceLease(LEASE)
                    .leaseSweep(Duration.ofMillis(200))
                    .coordinatorRequestsPerMinute(100_000)
                    .build())
            .start();
    private final Caracal caracal = client("app-local", "secret-1", platform.resourceId());
    private final Caracal second = client("app-local", "secret-1", platform.resourceId());
    private final Caracal peer = client("app-peer", "secret-2", BOOKS);

    private Caracal client(String applicationId, String secret, String resource) {
        return Caracal.create(Deployment.connected(platform)
                .applicationId(applicationId)
                .clientSecret(secret)
                .resource(resource, platform.upstreamUrl(), READ)
                .disposeTimeout(Duration.ofSeconds(2))
                .build());
    }

    private final List<CaracalEvent> losses = new CopyOnWriteArrayList<>();

    @BeforeEach
    void hearLosses() {
        var unused = caracal.onEvent(event -> {
            if (event instanceof CaracalEvent.LeaseLost) {
                losses.add(event);
            }
        });
    }

    @AfterEach
    void stop() {
        StepVerifier.create(Flux.just(caracal, second, peer)
                        .flatMap(Caracal::disposeLater)
                        .then(platform.disposeLater()))
                .expectComplete()
                .verify(LIMIT);
    }

    private static <T> T get(Mono<T> mono) {
        return Objects.requireNonNull(mono.block(LIMIT));
    }

    private SessionSnapshot atThePlatform(String session) {
        return platform.sessions().stream()
                .filter(s -> s.id().equals(session))
                .findFirst()
                .orElseThrow(() -> new AssertionError("the session has ended at the platform"));
    }

    private record Renewal(long startNanos, long endNanos, boolean succeeded) {}

    /**
     * The Coordinator fails every third request, answers every other one later than the next tick, and is away for some
     * seconds: all that time the lease stands. Cut off for good, it is lost once, at its deadline.
     */
    @Test
    @Tag("soak")
    void theLeaseOutlivesTroubleAndIsLostOnceAtItsDeadline() {
        Duration before = Duration.ofSeconds(Effort.of(5, 10));
        Duration away = Duration.ofSeconds(Effort.of(3, 5));
        Duration stands = Duration.ofSeconds(Effort.of(15, 30));
        AtomicInteger requests = new AtomicInteger();
        platform.faults(Service.COORDINATOR, request -> switch (requests.incrementAndGet() % 3) {
            case 0 -> Fault.respond(503, Map.of(), "{\"error\":\"unavailable\"}");
            case 1 -> Fault.delayResponse(Duration.ofMillis(1_300));
            default -> Fault.none();
        });
        List<Renewal> renewals = new CopyOnWriteArrayList<>();
        var listening = caracal.onEvent(event -> {
            if (event instanceof CaracalEvent.LeaseRenewed renewed) {
                Completion completion = renewed.completion();
                long end = System.nanoTime();
                renewals.add(new Renewal(
                        end - completion.duration().toNanos(),
                        end,
                        completion.outcome() == Completion.Outcome.SUCCESS));
            }
        });
        ServiceAgent agent = get(caracal.spawnService(ServiceOptions.builder()
                .heartbeatInterval(Duration.ofSeconds(1))
                .build()));
        AtomicInteger told = new AtomicInteger();
        Mono<Instant> lost = agent.lost()
                .doOnError(e -> told.incrementAndGet())
                .thenReturn(Instant.MAX)
                .onErrorResume(LeaseLostException.class, e -> Mono.just(Instant.now()))
                .cache();
        var hearing = lost.subscribe();
        var restart = Mono.delay(before).then(platform.restartCoordinator(away)).subscribe();

        List<Duration> left = get(Flux.interval(Duration.ofMillis(100))
                .take(stands)
                .map(tick -> {
                    SessionSnapshot session = atThePlatform(agent.agentSessionId());
                    assertThat(session.status()).isEqualTo("active");
                    return Duration.between(Instant.now(), Objects.requireNonNull(session.heartbeatDeadlineAt()));
                })
                .collectList());

        assertThat(left)
                .hasSizeGreaterThan(Effort.of(100, 200))
                .allSatisfy(time -> assertThat(time).isPositive());
        assertThat(agent.state()).isEqualTo(ServiceAgent.State.ACTIVE);
        assertThat(losses).isEmpty();
        assertThat(told).hasValue(0);
        assertThat(renewals.stream().filter(Renewal::succeeded)).hasSizeGreaterThan(Effort.of(3, 8));
        assertThat(renewals.stream().filter(r -> !r.succeeded())).hasSizeGreaterThan(Effort.of(2, 5));
        for (int i = 1; i < renewals.size(); i++) {
            // Heard on another thread than they were made on: that may add a little to the time of each.
            assertThat(renewals.get(i).startNanos() - renewals.get(i - 1).endNanos())
                    .as("renewals %d and %d overlap by these nanoseconds", i - 1, i)
                    .isGreaterThan(-Duration.ofMillis(100).toNanos());
        }

        // Behind a renewal that both sides know of, and before the next: else their deadlines differ.
        platform.faults(Service.COORDINATOR, FaultRule.none());
        CaracalEvent unused = get(caracal.events()
                .filter(event -> event instanceof CaracalEvent.LeaseRenewed renewed
                        && renewed.completion().outcome() == Completion.Outcome.SUCCESS)
                .elementAt(1));
        platform.stop(Service.COORDINATOR).block(LIMIT);
        Instant deadline =
                Objects.requireNonNull(atThePlatform(agent.agentSessionId()).heartbeatDeadlineAt());
        Instant lostAt = get(lost);
        assertThat(Duration.between(deadline, lostAt).abs()).isLessThan(Duration.ofSeconds(1));
        assertThat(agent.state()).isEqualTo(ServiceAgent.State.LOST);
        Mono.delay(Duration.ofSeconds(1)).then().block(LIMIT);
        assertThat(told).hasValue(1);
        assertThat(losses)
                .singleElement()
                .isInstanceOfSatisfying(
                        CaracalEvent.LeaseLost.class,
                        loss -> assertThat(loss.reason()).isEqualTo(LeaseLostException.Reason.EXPIRED));
        platform.start(Service.COORDINATOR).block(LIMIT);
        listening.dispose();
        hearing.dispose();
        restart.dispose();
    }

    @Test
    void aTakeoverFencesTheOlderHolder() {
        ServiceAgent older = get(caracal.spawnService());
        ServiceAgent newer = get(second.attachService(older.agentSessionId()));
        assertThat(atThePlatform(older.agentSessionId()).leaseGeneration()).isEqualTo(2);
        StepVerifier.create(older.heartbeat())
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(
                                LeaseLostException.class,
                                lost -> assertThat(lost.reason()).isEqualTo(LeaseLostException.Reason.FENCED)))
                .verify(LIMIT);
        StepVerifier.create(older.lost()).expectError(LeaseLostException.class).verify(LIMIT);
        StepVerifier.create(older.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(get(newer.heartbeat()).generation()).isEqualTo(2);
        assertThat(newer.state()).isEqualTo(ServiceAgent.State.ACTIVE);
        StepVerifier.create(newer.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.openSessionCount()).isZero();
    }

    private SpawnOptions narrowed(int hops, String... scopes) {
        return SpawnOptions.builder()
                .grant(Grant.narrow(scopes)
                        .constraints(limits -> limits.maxHops(hops))
                        .ttl(Duration.ofMinutes(hops)))
                .build();
    }

    @Test
    void aNarrowedChildHoldsWhatItWasGivenAndPassesOnLess() {
        StepVerifier.create(caracal.spawn(parent -> caracal.spawn(
                        narrowed(2, CHARGE, READ),
                        child -> caracal.spawn(
                                narrowed(1, READ),
                                grandchild -> Mono.fromSupplier(() -> {
                                    List<DelegationSnapshot> made = platform.delegations();
                                    assertThat(made).hasSize(2);
                                    assertThat(made.get(0).scopes()).containsExactlyInAnyOrder(CHARGE, READ);
                                    assertThat(made.get(0).sourceSessionId()).isEqualTo(parent.agentSessionId());
                                    assertThat(made.get(0).targetSessionId()).isEqualTo(child.agentSessionId());
                                    assertThat(made.get(1).scopes()).containsExactly(READ);
                                    assertThat(made.get(1).parentId())
                                            .isEqualTo(made.get(0).id());
                                    assertThat(grandchild.delegationEdgeId())
                                            .contains(made.get(1).id());
                                    return 1;
                                })))))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.openSessionCount()).isZero();
    }

    @Test
    void aForeignScopeIsRefusedByTheCoordinatorAndLeavesNoSession() {
        StepVerifier.create(caracal.spawn(parent -> caracal.spawn(
                        narrowed(2, READ), child -> caracal.spawn(narrowed(1, CHARGE), grandchild -> Mono.just(1)))))
                .expectErrorSatisfies(e -> assertThat(e).isInstanceOfSatisfying(CoordinatorException.class, refused -> {
                    assertThat(refused.httpStatus()).isEqualTo(403);
                    assertThat(refused.code()).isEqualTo("delegation_exceeds_parent_authority");
                }))
                .verify(LIMIT);
        assertThat(platform.openSessionCount()).isZero();
    }

    @Test
    void delegateAcceptAndRevokeBetweenTwoApplications() {
        Mono<Void> work = caracal.spawn(source -> peer.<Void>spawn(target -> caracal.bind(source, offer(target))
                        .flatMap(delegation -> peer.acceptDelegation(
                                        delegation.delegationEdgeId(), Acceptance.VALIDATED, accepted -> {
                                            assertThat(accepted.agentSessionId())
                                                    .isEqualTo(target.agentSessionId());
                                            assertThat(accepted.delegationEdgeId())
                                                    .contains(delegation.delegationEdgeId());
                                            return Mono.empty();
                                        })
                                .then(caracal.revokeDelegation(delegation.delegationEdgeId()))
                                .then(peer.acceptDelegation(
                                        delegation.delegationEdgeId(),
                                        Acceptance.VALIDATED,
                                        accepted -> Mono.empty()))))
                .contextWrite(apart -> Context.empty()));
        StepVerifier.create(work)
                .expectErrorSatisfies(
                        e -> assertThat(e).isInstanceOfAny(DelegationException.class, CoordinatorException.class))
                .verify(LIMIT);
        assertThat(platform.delegations()).singleElement().satisfies(delegation -> {
            assertThat(delegation.status()).isEqualTo("revoked");
            assertThat(delegation.receiverApplicationId()).isEqualTo("app-peer");
            assertThat(delegation.scopes()).containsExactly(CHARGE);
        });
        assertThat(platform.openSessionCount()).isZero();
    }

    private Mono<Delegation> offer(CaracalContext target) {
        return caracal.createDelegation(DelegationSpec.builder()
                .to(target.agentSessionId(), target.applicationId())
                .scopes(CHARGE)
                .resource(BOOKS)
                .build());
    }

    /** Calls fill the user's one connection for longer than the lease; renewals go by the SDK's own. */
    @Test
    @Tag("soak")
    void renewalsDoNotWaitBehindUserTraffic() {
        int calls = 10;
        ConnectionProvider oneConnection = ConnectionProvider.builder("user-traffic")
                .maxConnections(1)
                .pendingAcquireMaxCount(calls)
                .pendingAcquireTimeout(LIMIT)
                .build();
        HttpClient users = CaracalHttp.decorate(HttpClient.create(oneConnection), caracal);
        GatewayRequest request = caracal.gatewayRequest(platform.resourceId(), "/slow?ms=" + Effort.of(900, 1_500));
        List<CaracalEvent> renewals = new CopyOnWriteArrayList<>();
        var listening = caracal.onEvent(event -> {
            if (event instanceof CaracalEvent.LeaseRenewed) {
                renewals.add(event);
            }
        });
        Mono<Integer> call = users.headers(headers -> request.headers().forEach(headers::set))
                .get()
                .uri(request.url())
                .responseSingle((response, body) ->
                        body.asString().thenReturn(response.status().code()));
        Flux<Integer> work = caracal.runService(
                ServiceOptions.builder()
                        .heartbeatInterval(Duration.ofSeconds(1))
                        .build(),
                agent -> Flux.range(0, calls).flatMap(i -> call));
        long start = System.nanoTime();
        StepVerifier.create(work.collectList())
                .assertNext(statuses -> assertThat(statuses).hasSize(calls).containsOnly(200))
                .expectComplete()
                .verify(LIMIT);
        assertThat(Duration.ofNanos(System.nanoTime() - start))
                .as("the calls shared one connection for longer than the lease")
                .isGreaterThan(LEASE);
        // One that waited behind the calls would come when they are done. One in flight at the end of the work is
        // cancelled.
        assertThat(renewals)
                .extracting(event -> ((CaracalEvent.LeaseRenewed) event).completion())
                .filteredOn(completion -> completion.outcome() != Completion.Outcome.CANCELLED)
                .hasSizeGreaterThan(4)
                .allSatisfy(completion -> {
                    assertThat(completion.outcome()).isEqualTo(Completion.Outcome.SUCCESS);
                    assertThat(completion.duration()).isLessThan(Duration.ofMillis(1500));
                });
        assertThat(losses).isEmpty();
        listening.dispose();
        StepVerifier.create(oneConnection.disposeLater()).expectComplete().verify(LIMIT);
    }

    @Test
    void theEndOfTheClientClosesItsServices() {
        ServiceAgent plain = get(caracal.spawnService());
        ServiceAgent narrowed = get(caracal.spawnService(
                ServiceOptions.builder().grant(Grant.narrow(READ)).build()));
        // The SDK holds the authority of the narrowed one in a service of its own.
        assertThat(platform.openSessionCount()).isEqualTo(3);
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.openSessionCount()).isZero();
        assertThat(plain.state()).isEqualTo(ServiceAgent.State.CLOSED);
        assertThat(narrowed.state()).isEqualTo(ServiceAgent.State.CLOSED);
        assertThat(losses).isEmpty();
    }
}
