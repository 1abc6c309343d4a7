package run.caracal.examples;

import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import run.caracal.GatewayRequest;

/** The call of the examples: one charge at the protected resource. */
final class Charge {
    /** The answer, with the request id of the call in the audit log. */
    record Answer(int status, String requestId, String body) {}

    private Charge() {}

    /** Charges through a decorated client, which adds identity, mandate and trace. */
    static Mono<Answer> with(HttpClient http, GatewayRequest request) {
        return http.headers(headers -> {
                    request.headers().forEach(headers::set);
                    headers.set("Content-Type", "application/json");
                })
                .post()
                .uri(request.url())
                .send(ByteBufFlux.fromString(Mono.just("{\"amount\": 1200}")))
                .responseSingle((response, body) -> body.asString()
                        .defaultIfEmpty("")
                        .map(text -> new Answer(
                                response.status().code(),
                                response.responseHeaders().get("X-Request-Id", "-"),
                                text)));
    }
}
