package run.caracal.boot;

import org.springframework.security.core.context.ReactiveSecurityContextHolder;
import org.springframework.web.server.ServerWebExchange;
import org.springframework.web.server.WebFilter;
import org.springframework.web.server.WebFilterChain;
import reactor.core.publisher.Mono;
import run.caracal.CaracalContext;

/** Provides the verified caller to Spring Security, which keeps an authentication that is set before its own filters. */
final class AuthenticationBridge implements WebFilter {

    @Override
    public Mono<Void> filter(ServerWebExchange exchange, WebFilterChain chain) {
        return Mono.deferContextual(view -> {
            Mono<Void> handled = chain.filter(exchange);
            return CaracalContext.from(view)
                    .flatMap(CaracalContext::verifiedMandate)
                    .map(mandate -> handled.contextWrite(
                            ReactiveSecurityContextHolder.withAuthentication(new MandateAuthentication(mandate))))
                    .orElse(handled);
        });
    }
}
