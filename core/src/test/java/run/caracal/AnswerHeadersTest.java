package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.error.GatewayError;
import run.caracal.error.ServiceException;
import run.caracal.event.CaracalEvent;
import run.caracal.http.HttpResponse;
import run.caracal.test.FakePlatform;

/** Answers whose headers are missing, empty, a megabyte long or wrong; only their bodies matter. */
class AnswerHeadersTest {
    private static final String RESOURCE = "resource://billing-api";
    private static final List<String> HEADERS = List.of(
            "X-Request-Id",
            "Retry-After",
            "Date",
            "Idempotency-Replayed",
            "X-Caracal-Token-Expires-In",
            "Content-Type",
            "Content-Length",
            "Location",
            "WWW-Authenticate");
    private static final List<String> VALUES =
            List.of("", " ", "x".repeat(1_000_000), "9".repeat(1_000_000), "-1", "λ\n\u0007 b");

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final List<CaracalEvent> events = new CopyOnWriteArrayList<>();
    private final Caracal caracal = platform.client();

    /** The first has no headers at all. */
    static Stream<Arguments> headers() {
        return Stream.concat(
                Stream.of(Arguments.argumentSet("none", Map.of())),
                HEADERS.stream()
                        .flatMap(name -> VALUES.stream()
                                .map(value -> Arguments.argumentSet(
                                        name + "="
                                                + value.strip()
                                                        .substring(
                                                                0,
                                                                Math.min(
                                                                        5,
                                                                        value.strip()
                                                                                .length())) + ".." + value.length(),
                                        Map.of(name, value)))));
    }

    private void listen() {
        var listening = caracal.onOperation((event, context) -> events.add(event));
        assertThat(listening.isDisposed()).isFalse();
    }

    private static Mono<HttpResponse> with(Map<String, String> headers, int status, byte[] body) {
        return Mono.just(new HttpResponse(status, headers, body));
    }

    @ParameterizedTest
    @MethodSource("headers")
    void aSuccessIsWhatItsBodySays(Map<String, String> headers) {
        listen();
        platform.always(request -> true, real -> real.flatMap(it -> with(headers, it.status(), it.body())));
        FetchRequest fetch = FetchRequest.builder(RESOURCE, "/x").scopes("a").build();
        DelegationSpec delegation = DelegationSpec.builder()
                .to("session-9", "app-9")
                .scopes("a")
                .resource(RESOURCE)
                .build();
        StepVerifier.create(caracal.check()
                        .then(caracal.spawn(session -> caracal.fetch(fetch)
                                .then(caracal.createDelegation(delegation))
                                .flatMap(created -> caracal.revokeDelegation(created.delegationEdgeId()))))
                        .then(caracal.spawnService()
                                .flatMap(agent -> agent.heartbeat().then(agent.disposeLater()))))
                .expectComplete()
                .verify(LIMIT);
        assertBoundedIds();
    }

    @ParameterizedTest
    @MethodSource("headers")
    void aRefusalKeepsItsStatusAndItsMessageIsBounded(Map<String, String> headers) {
        listen();
        byte[] refusal = {'{', '}'};
        List<Mono<?>> calls = List.of(
                caracal.check(),
                caracal.spawn(session -> Mono.just(1)),
                caracal.spawnService(),
                caracal.attachService("session-1"),
                caracal.waitForApproval("approval-1"),
                caracal.revokeDelegation("edge-1"),
                caracal.fetch(
                        FetchRequest.builder(RESOURCE, "/x").asApplication().build()));
        for (Mono<?> call : calls) {
            // The token is issued; the next call is rejected.
            platform.always(request -> !FakePlatform.isToken(request), real -> with(headers, 400, refusal));
            StepVerifier.create(call)
                    .expectErrorSatisfies(e -> assertThat(e).isInstanceOfSatisfying(ServiceException.class, refused -> {
                        assertThat(refused.httpStatus()).isEqualTo(400);
                        assertThat(refused.getMessage()).hasSizeLessThan(2_000).doesNotContain("\n", "\u0007");
                        assertThat(refused.requestId().orElse("")).hasSizeLessThan(129);
                    }))
                    .verify(LIMIT);
        }
        assertBoundedIds();
        GatewayError error = GatewayError.from(503, headers::get, refusal).orElseThrow();
        assertThat(error.toString()).hasSizeLessThan(2_000).doesNotContain("\n", "\u0007");
    }

    private void assertBoundedIds() {
        assertThat(events).isNotEmpty().allSatisfy(event -> {
            @Nullable String id = event.completion().requestId();
            assertThat(id == null ? "" : id).hasSizeLessThan(129).doesNotContain("\n", "\u0007");
        });
    }
}
