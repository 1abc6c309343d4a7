package run.caracal.examples;

import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import run.caracal.error.GatewayError;

/** Requests that end-to-end tests need often. */
final class Calls {
    private Calls() {}

    /** The status and the body, with a blank between them. */
    static Mono<String> get(HttpClient http, String url) {
        return http.get()
                .uri(url)
                .responseSingle((response, body) -> body.asString()
                        .defaultIfEmpty("")
                        .map(text -> response.status().code() + " " + text));
    }

    /** The error of the Gateway, or of the resource behind it. */
    static Mono<GatewayError> error(HttpClient http, String url) {
        return http.get()
                .uri(url)
                .responseSingle((response, body) -> body.asByteArray()
                        .defaultIfEmpty(new byte[0])
                        .map(bytes -> GatewayError.from(
                                        response.status().code(), response.responseHeaders()::get, bytes)
                                .orElseThrow()));
    }
}
