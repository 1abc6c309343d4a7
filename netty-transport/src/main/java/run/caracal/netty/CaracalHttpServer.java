package run.caracal.netty;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpMethod;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.stream.Collectors;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Mono;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;
import run.caracal.Boundary;
import run.caracal.BoundaryRoutes;
import run.caracal.Caracal;
import run.caracal.error.ClosedException;
import run.caracal.error.InboundException;
import run.caracal.http.InboundPolicy;
import run.caracal.netty.internal.RefusalAnswer;

/**
 * The inbound boundary of a Reactor Netty {@code HttpServer}: verifies each request before its handler runs, and binds
 * the caller in the Reactor Context of the handler.
 *
 * <pre>{@code
 * HttpServer.create().handle(CaracalHttpServer.boundary(caracal, Boundary.verified(verifier), (request, response) ->
 *         response.sendString(caracal.current().map(CaracalContext::applicationId))));
 * }</pre>
 *
 * <p>A rejected request is answered with its status, JSON {@code {"error","error_description"}} and
 * {@code WWW-Authenticate}; the server discards the rest of its body. Errors of the handler are not changed. A request
 * that the client aborts cancels the verification or the handler.
 *
 * <p>A CORS preflight ({@code OPTIONS} with {@code Origin} and {@code Access-Control-Request-Method}) carries no
 * credentials by design: it passes to the handler unverified, with no caller bound.
 */
public final class CaracalHttpServer {
    private CaracalHttpServer() {}

    /**
     * Puts a boundary in front of a handler.
     *
     * @param handler handles accepted requests
     * @return a handler for {@code HttpServer.handle(...)} or a route
     * @throws run.caracal.error.ConfigurationException in production, if the boundary is not trusted and has no
     *     verifier or runs as the application
     */
    public static BiFunction<HttpServerRequest, HttpServerResponse, Publisher<Void>> boundary(
            Caracal caracal,
            Boundary boundary,
            BiFunction<? super HttpServerRequest, ? super HttpServerResponse, ? extends Publisher<Void>> handler) {
        return boundary(caracal.inbound(boundary), handler);
    }

    /**
     * Puts your own policy in front of a handler.
     *
     * @param handler handles accepted requests
     * @return a handler for {@code HttpServer.handle(...)} or a route
     */
    public static BiFunction<HttpServerRequest, HttpServerResponse, Publisher<Void>> boundary(
            InboundPolicy policy,
            BiFunction<? super HttpServerRequest, ? super HttpServerResponse, ? extends Publisher<Void>> handler) {
        Objects.requireNonNull(policy, "policy");
        Objects.requireNonNull(handler, "handler");
        return (request, response) ->
                isPreflight(request) ? handler.apply(request, response) : judged(policy, handler, request, response);
    }

    /**
     * Puts boundaries by path and method in front of a handler. An ambiguous path is answered with 400.
     *
     * @param handler handles accepted and excepted requests
     * @return a handler for {@code HttpServer.handle(...)}
     * @throws run.caracal.error.ConfigurationException in production, if a boundary is not trusted and has no verifier
     *     or runs as the application
     */
    public static BiFunction<HttpServerRequest, HttpServerResponse, Publisher<Void>> boundary(
            Caracal caracal,
            BoundaryRoutes routes,
            BiFunction<? super HttpServerRequest, ? super HttpServerResponse, ? extends Publisher<Void>> handler) {
        Objects.requireNonNull(handler, "handler");
        Map<Boundary, InboundPolicy> policies = routes.boundaries().stream()
                .collect(Collectors.toUnmodifiableMap(boundary -> boundary, caracal::inbound));
        return (request, response) -> {
            Optional<InboundPolicy> policy;
            try {
                policy = isPreflight(request)
                        ? Optional.empty()
                        : routes.boundaryOf(request.method().name(), request.uri())
                                .map(policies::get);
            } catch (IllegalArgumentException e) {
                return answer(response, RefusalAnswer.ofPath());
            }
            return policy.<Publisher<Void>>map(judging -> judged(judging, handler, request, response))
                    .orElseGet(() -> handler.apply(request, response));
        };
    }

    private static boolean isPreflight(HttpServerRequest request) {
        return request.method().equals(HttpMethod.OPTIONS)
                && request.requestHeaders().contains(HttpHeaderNames.ORIGIN)
                && request.requestHeaders().contains(HttpHeaderNames.ACCESS_CONTROL_REQUEST_METHOD);
    }

    private static Mono<Void> judged(
            InboundPolicy policy,
            BiFunction<? super HttpServerRequest, ? super HttpServerResponse, ? extends Publisher<Void>> handler,
            HttpServerRequest request,
            HttpServerResponse response) {
        return policy.judge(request.requestHeaders()::getAll)
                .onErrorMap(ClosedException.class, RefusalAnswer::stopping)
                .map(call -> Mono.<Void>defer(() -> Mono.from(handler.apply(request, response)))
                        .contextWrite(call::bind))
                // Before flatMap, so that only errors of the verification are answered, not those of the handler.
                .onErrorResume(InboundException.class, refusal -> Mono.just(refuse(response, refusal)))
                .flatMap(handled -> handled);
    }

    private static Mono<Void> refuse(HttpServerResponse response, InboundException refusal) {
        return answer(response, RefusalAnswer.of(refusal));
    }

    private static Mono<Void> answer(HttpServerResponse response, RefusalAnswer answer) {
        return Mono.defer(() -> {
            HttpServerResponse refused = response.status(answer.status())
                    .header(HttpHeaderNames.CONTENT_TYPE, RefusalAnswer.CONTENT_TYPE)
                    .header(HttpHeaderNames.CACHE_CONTROL, "no-store");
            if (answer.challenge() != null) {
                refused = refused.header(HttpHeaderNames.WWW_AUTHENTICATE, answer.challenge());
            }
            return refused.sendByteArray(Mono.just(answer.bytes())).then();
        });
    }
}
