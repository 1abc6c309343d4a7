package run.caracal.webflux;

import java.util.Objects;
import java.util.function.Predicate;
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
    private final InboundPolicy policy;
    private final Predicate<? super ServerWebExchange> excepted;

    private CaracalWebFilter(InboundPolicy policy, Predicate<? super ServerWebExchange> excepted) {
        this.policy = policy;
        this.excepted = excepted;
    }

    /**
     * Creates the filter.
     *
     * @param caracal the client
     * @param boundary how requests are judged
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
     * @param policy judges the requests
     * @return a filter, stateless
     */
    public static CaracalWebFilter create(InboundPolicy policy) {
        return new CaracalWebFilter(Objects.requireNonNull(policy, "policy"), exchange -> false);
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
        return new CaracalWebFilter(policy, exchange -> before.test(exchange) || excepted.test(exchange));
    }

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        if (excepted.test(exchange) || CorsUtils.isPreFlightRequest(exchange.getRequest())) {
            return chain.filter(exchange);
        }
        return policy.judge(exchange.getRequest().getHeaders()::getOrEmpty)
                .onErrorMap(ClosedException.class, RefusalAnswer::stopping)
                .map(call -> Mono.defer(() -> chain.filter(exchange)).contextWrite(call::bind))
                // Of the judgement alone: what the application signals is its own.
                .onErrorResume(InboundException.class, refusal -> Mono.just(refuse(exchange.getResponse(), refusal)))
                .flatMap(handled -> handled);
    }

    private static Mono<Void> refuse(ServerHttpResponse response, InboundException refusal) {
        return Mono.defer(() -> {
            RefusalAnswer answer = RefusalAnswer.of(refusal);
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
