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
 * The inbound boundary of a Spring WebFlux application, called context middleware in other Caracal SDKs: verifies each
 * request before its handler runs, and binds the caller in the Reactor Context of the handler.
 *
 * <pre>{@code
 * WebFilter boundary = CaracalWebFilter.create(caracal, Boundary.verified(verifier))
 *         .except(exchange -> exchange.getRequest().getPath().value().equals("/health"));
 * }</pre>
 *
 * <p>A rejected request is answered with its status, JSON {@code {"error","error_description"}} and
 * {@code WWW-Authenticate}. Signals of the application pass through. A request that the client aborts cancels the
 * verification or the handler. Filters before this one have no caller bound, so order it early.
 *
 * <p>A CORS preflight ({@code OPTIONS} with {@code Origin} and {@code Access-Control-Request-Method}) carries no
 * credentials by design: it passes to Spring's CORS configuration unverified, with no caller bound.
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
     * {@return a stateless filter with one boundary}
     *
     * @throws run.caracal.error.ConfigurationException in production, if the boundary is not trusted and has no
     *     verifier or runs as the application
     */
    public static CaracalWebFilter create(Caracal caracal, Boundary boundary) {
        return create(caracal.inbound(boundary));
    }

    /** {@return a stateless filter with your own policy} */
    public static CaracalWebFilter create(InboundPolicy policy) {
        Optional<InboundPolicy> always = Optional.of(Objects.requireNonNull(policy, "policy"));
        return new CaracalWebFilter(exchange -> always, exchange -> false);
    }

    /**
     * {@return a stateless filter with boundaries by method and path within the application} An ambiguous path is
     * answered with 400.
     *
     * @throws run.caracal.error.ConfigurationException in production, if a boundary is not trusted and has no verifier
     *     or runs as the application
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

    /** {@return a filter that also excepts these requests from verification; no caller is bound for them} */
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
                // Before flatMap, so that only errors of the verification are answered, not those of the application.
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
