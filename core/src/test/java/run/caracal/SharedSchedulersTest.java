package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.error.InboundException;
import run.caracal.error.LeaseLostException;
import run.caracal.error.TransportException;
import run.caracal.test.FakePlatform;
import run.caracal.test.Logged;
import run.caracal.test.TestZone;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.RevocationStore;

/** Replacing Reactor's shared schedulers disposes those that existing clients have used. */
class SharedSchedulersTest {
    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    @AfterEach
    void restore() {
        Schedulers.resetFactory();
    }

    private static void replaceSharedSchedulers() {
        Schedulers.setFactory(new Schedulers.Factory() {});
    }

    @Test
    void endHooksRunAndWhatIsTransientIsTriedAgain() {
        List<String> ended = new CopyOnWriteArrayList<>();
        var hook = caracal.onSessionEnd(context -> Mono.fromRunnable(() -> ended.add(context.agentSessionId())));
        Mono<Integer> work = caracal.spawn(context -> Mono.just(1));
        StepVerifier.create(work).expectNext(1).expectComplete().verify(LIMIT);

        replaceSharedSchedulers();
        platform.nextAnswer(FakePlatform::isOpen, 503, "{\"error\":\"unavailable\"}");
        platform.nextAnswer(FakePlatform::isTerminate, 503, "{\"error\":\"unavailable\"}");
        String logged = Logged.during(
                () -> StepVerifier.create(work).expectNext(1).expectComplete().verify(LIMIT));
        assertThat(ended).containsExactly("session-1", "session-2");
        assertThat(logged).doesNotContain("WARN");
        assertThat(caracal.pendingTerminations()).isZero();
        hook.dispose();
    }

    @Test
    void mandatesTokensApprovalsAndServicesGoOn() {
        StepVerifier.create(caracal.spawn(context -> caracal.mintMandate("resource://billing-api", "a")))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        replaceSharedSchedulers();
        StepVerifier.create(caracal.spawn(context -> caracal.mintMandate("resource://billing-api", "a")))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        platform.nextLost(FakePlatform::isApproval, new TransportException(TransportException.Kind.IO, "lost", null));
        platform.nextAnswer(FakePlatform::isApproval, 200, "{\"id\":\"approval-1\",\"state\":\"approved\"}");
        StepVerifier.create(caracal.waitForApproval("approval-1"))
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(caracal.spawnService()
                        .flatMap(agent -> agent.heartbeat().then(agent.disposeLater())))
                .expectComplete()
                .verify(LIMIT);
    }

    /** A subscriber from before the replacement is notified of a loss after it. */
    @Test
    void aServiceIsHeardOfWhoseLeaseIsLostAfterwards() {
        ServiceAgent agent = Objects.requireNonNull(caracal.spawnService().block(LIMIT));
        Sinks.Empty<Void> heard = Sinks.empty();
        var listening = agent.lost()
                .subscribe(
                        null,
                        e -> heard.tryEmitError(e).orThrow(),
                        () -> heard.tryEmitEmpty().orThrow());
        replaceSharedSchedulers();
        platform.nextAnswer(FakePlatform::isHeartbeat, 404, "{\"error\":\"session_not_found\"}");
        StepVerifier.create(agent.heartbeat())
                .expectError(LeaseLostException.class)
                .verify(LIMIT);
        StepVerifier.create(heard.asMono())
                .expectError(LeaseLostException.class)
                .verify(LIMIT);
        // The client takes the session as gone, and does not terminate it.
        platform.live().clear();
        listening.dispose();
    }

    @Test
    void theFirstFetchFindsItsTransport() {
        replaceSharedSchedulers();
        StepVerifier.create(caracal.fetch(FetchRequest.builder("resource://billing-api", "/x")
                        .asApplication()
                        .build()))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void verifiersAndRevocationStoresGoOn() {
        TestZone zone = new TestZone("kid-1");
        InMemoryRevocationStore store = InMemoryRevocationStore.create();
        RevocationStore cached = RevocationStore.cached(store);
        JwksMandateVerifier verifier = JwksMandateVerifier.builder()
                .zoneId("zone-1")
                .issuer("https://sts.example.com")
                .audience("resource://billing-api")
                .transport(zone)
                .revocations(cached)
                .build();
        replaceSharedSchedulers();
        StepVerifier.create(cached.isRevoked(Set.of("anchor-1")))
                .expectNext(false)
                .expectComplete()
                .verify(LIMIT);
        // The token is rejected for its claims, so the keys were fetched.
        StepVerifier.create(verifier.verify(
                        zone.sign(Map.of("iss", "https://sts.example.com")), MandateRequirements.defaults()))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOfSatisfying(
                                InboundException.class,
                                refused -> assertThat(refused.reason())
                                        .isNotEqualTo(InboundException.Reason.VERIFIER_UNAVAILABLE)))
                .verify(LIMIT);
        assertThat(zone.fetches()).isEqualTo(1);
        verifier.dispose();
    }
}
