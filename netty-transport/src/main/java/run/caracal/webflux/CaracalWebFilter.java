package run.caracal.webflux;

import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.springframework.core.io.buffer.DataBuffer;
import org.springframework.http.HttpHeaders;
import org.springframework.http.HttpStatusCode;
import org.springframework.http.server.reactive.ServerHttpResponse;
import org.springframework.web.cors.reactive.CorsUtils;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;
import reactor.core.publisher.Mono;
import run.caracal.Boundary;
import run.caracal.BoundaryRoutes;
import run.caracal.Caracal;
import run.caracal.error.ClosedException;
import run.caracal.error.InboundException;
import run.caracal.http.InboundPolicy;
import run.caracal.netty.internal.RefusalAnswer;

/**
 * The inbound boundary of a Spring WebFlux application, which other Caracal SDKs call their context middleware:
 * judges each request before the application sees it, and binds its caller in the Reactor Context of the handler.
 *
 * <pre>{@code
 * WebFilter boundary = CaracalWebFilter.create(caracal, Boundary.verified(verifier))
 *         .except(exchange -> exchange.getRequest().getPath().value().equals("/health"));
 * }</pre>
 *
 * <p>A refusal is answered at once with its status, JSON {@code {"error","error_description"}} and {@code
 * WWW-Authenticate}. Signals of the application pass through. A request that ends early cancels the judgement, or the
 * handler. Filters before this one have no caller bound: order it early.
 *
 * <p>A CORS preflight ({@code OPTIONS} with {@code Origin} and {@code Access-Control-Request-Method}) carries no credentials,
 * as its standard wants it, and passes to the application without being judged, with no caller bound: Spring's CORS
 * configuration answers it.
 */
public final class CaracalWebFilter implements WebFilter {
    private final Function<ServerWebExchange, Optional<InboundPolicy>> policies;
    private final Predicate<? super ServerWebExchange> excepted;

    private CaracalWebFilter(
            Function<ServerWebExchange, Optional<InboundPolicy>> policies,
            Predicate<? super ServerWebExchange> excepted) {
        this.policies = policies;
        this.excepted = excepted;
    }

    /**
     * Creates the filter.
     *
     * @return a filter, stateless
     * @throws run.caracal.error.ConfigurationException in production, for a boundary that has no verifier or runs as the
     *     application, unless it is trusted
     */
    public static CaracalWebFilter create(Caracal caracal, Boundary boundary) {
        return create(caracal.inbound(boundary));
    }

    /**
     * Creates the filter with a policy of its own.
     *
     * @return a filter, stateless
     */
    public static CaracalWebFilter create(InboundPolicy policy) {
        Optional<InboundPolicy> always = Optional.of(Objects.requireNonNull(policy, "policy"));
        return new CaracalWebFilter(exchange -> always, exchange -> false);
    }

    /**
     * Creates the filter with boundaries by path within the application and by method. A path that could be taken for another
     * one is answered with 400.
     *
     * @param caracal the client
     * @param routes the boundaries
     * @return a filter, stateless
     * @throws run.caracal.error.ConfigurationException in production, if one of the boundaries has no verifier or runs as the
     *     application, unless it is trusted
     */
    public static CaracalWebFilter create(Caracal caracal, BoundaryRoutes routes) {
        Map<Boundary, InboundPolicy> policies = routes.boundaries().stream()
                .collect(Collectors.toUnmodifiableMap(boundary -> boundary, caracal::inbound));
        return new CaracalWebFilter(
                exchange -> routes.boundaryOf(
                                exchange.getRequest().getMethod().name(),
                                exchange.getRequest()
                                        .getPath()
                                        .pathWithinApplication()
                                        .value())
                        .map(policies::get),
                exchange -> false);
    }

    /**
     * Leaves requests alone: they are neither judged nor bound.
     *
     * @param excepted which requests, besides those that are left alone already
     * @return a filter that leaves them alone
     */
    public CaracalWebFilter except(Predicate<? super ServerWebExchange> excepted) {
        Objects.requireNonNull(excepted, "excepted");
        Predicate<? super ServerWebExchange> before = this.excepted;
        return new CaracalWebFilter(policies, exchange -> before.test(exchange) || excepted.test(exchange));
    }

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        if (excepted.test(exchange) || CorsUtils.isPreFlightRequest(exchange.getRequest())) {
            return chain.filter(exchange);
        }
        Optional<InboundPolicy> policy;
        try {
            policy = policies.apply(exchange);
        } catch (IllegalArgumentException e) {
            return answer(exchange.getResponse(), RefusalAnswer.ofPath());
        }
        return policy.map(judging -> judged(judging, exchange, chain)).orElseGet(() -> chain.filter(exchange));
    }

    private static Mono<Void> judged(InboundPolicy policy, ServerWebExchange exchange, WebFilterChain chain) {
        return policy.judge(exchange.getRequest().getHeaders()::getOrEmpty)
                .onErrorMap(ClosedException.class, RefusalAnswer::stopping)
                .map(call -> Mono.defer(() -> chain.filter(exchange)).contextWrite(call::bind))
                // Of the judgement alone: what the application signals is its own.
                .onErrorResume(InboundException.class, refusal -> Mono.just(refuse(exchange.getResponse(), refusal)))
                .flatMap(handled -> handled);
    }

    private static Mono<Void> refuse(ServerHttpResponse response, InboundException refusal) {
        return answer(response, RefusalAnswer.of(refusal));
    }

    private static Mono<Void> answer(ServerHttpResponse response, RefusalAnswer answer) {
        return Mono.defer(() -> {
            response.setStatusCode(HttpStatusCode.valueOf(answer.status()));
            response.getHeaders().set(HttpHeaders.CONTENT_TYPE, RefusalAnswer.CONTENT_TYPE);
            response.getHeaders().set(HttpHeaders.CACHE_CONTROL, "no-store");
            if (answer.challenge() != null) {
                response.getHeaders().set(HttpHeaders.WWW_AUTHENTICATE, answer.challenge());
            }
            byte[] body = answer.bytes();
            response.getHeaders().setContentLength(body.length);
            DataBuffer buffer = response.bufferFactory().wrap(body);
            return response.writeWith(Mono.just(buffer));
        });
    }
}
