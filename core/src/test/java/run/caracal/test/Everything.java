package run.caracal.test;

import static run.caracal.test.FakePlatform.LIMIT;

import java.util.Map;
import java.util.Objects;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.Acceptance;
import run.caracal.Caracal;
import run.caracal.DelegationSpec;
import run.caracal.ServiceAgent;
import run.caracal.error.LeaseLostException;
import run.caracal.http.HttpResponse;

/** Does everything that a client can do, each with success, and loses a lease. */
public final class Everything {
    public static final String RESOURCE = "resource://billing-api";

    private Everything() {}

    /**
     * Does it.
     *
     * @param caracal a client of the platform, which is closed at the end
     */
    public static void doAll(FakePlatform platform, Caracal caracal) {
        platform.nextUser("{\"sid\":\"record-1\"}");
        StepVerifier.create(caracal.federateSubject(
                                FakePlatform.jwt("{\"alg\":\"RS256\"}", "{\"sub\":\"ann\",\"exp\":4102444800}"))
                        .then(caracal.bindFromHeaders(Map.of("Authorization", "Bearer of-a-caller"), Mono.just(0))))
                .expectNext(0)
                .expectComplete()
                .verify(LIMIT);
        platform.next(
                FakePlatform::isMint,
                real -> real.map(
                        answer -> new HttpResponse(answer.status(), Map.of("X-Request-Id", "r-mint"), answer.body())));
        platform.nextAnswer(
                FakePlatform::isApproval,
                200,
                "{\"id\":\"approval-1\",\"state\":\"approved\",\"expires_at\":\"2030-01-01T00:00:00Z\"}");
        platform.edges().put("edge-7", "session-1");
        DelegationSpec spec = DelegationSpec.builder()
                .to("target-1", "app-2")
                .scopes("a")
                .resource(RESOURCE)
                .revokeOnEnd(true)
                .build();
        StepVerifier.create(caracal.spawn(context -> caracal.mintMandate(RESOURCE, "a")
                        .then(caracal.delegate(spec, derived -> Mono.just(1)))
                        .then(caracal.acceptDelegation("edge-7", Acceptance.VALIDATED, derived -> Mono.just(2)))
                        .then(Mono.deferContextual(view -> caracal.outbound()
                                .resolve(FakePlatform.GATEWAY + "/charge", RESOURCE, view)
                                .doOnNext(call -> {
                                    SentHeaders headers = new SentHeaders();
                                    headers.set("X-Request-Id", "r-call");
                                    headers.set("X-Caracal-Resource", RESOURCE);
                                    call.edit(headers);
                                    call.ended(200, null);
                                    call.ended(500, null);
                                })))
                        .then(caracal.waitForApproval("approval-1"))))
                .expectComplete()
                .verify(LIMIT);
        ServiceAgent agent = Objects.requireNonNull(caracal.spawnService().block(LIMIT));
        StepVerifier.create(agent.heartbeat())
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        platform.nextAnswer(FakePlatform::isHeartbeat, 409, "{\"error\":\"session_lease_fenced\"}");
        StepVerifier.create(agent.heartbeat())
                .expectError(LeaseLostException.class)
                .verify(LIMIT);
        StepVerifier.create(agent.disposeLater()).expectComplete().verify(LIMIT);
        platform.live().clear(); // a fenced session is its new holder's to end
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
    }
}
