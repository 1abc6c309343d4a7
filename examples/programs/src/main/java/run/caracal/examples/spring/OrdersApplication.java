package run.caracal.examples.spring;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Objects;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.web.reactive.function.client.WebClient;
import org.springframework.web.reactive.function.server.RequestPredicates;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerRequest;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.server.WebHandler;
import reactor.core.publisher.Mono;
import run.caracal.Acceptance;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.GatewayRequest;
import run.caracal.ServiceAgent;
import run.caracal.ServiceOptions;
import run.caracal.config.CaracalConfig;

/**
 * The middle of the chain: takes an order from a caller with a verified mandate, accepts the delegation that the order names,
 * and calls the ledger under it with its own mandate.
 *
 * <p>The id of a delegation is no secret: accepting it proves that it is for this session, but not that the caller issued it.
 * If callers must not use each other's delegations, check the caller's application and session.
 */
@Configuration(proxyBeanMethods = false)
@Import(CaracalConfiguration.class)
class OrdersApplication {
    static final String ID = "app-orders";
    static final String RESOURCE = "resource://orders";
    static final String PLACE = "orders:place";

    /** The header with the request id of the call to the ledger. */
    static final String LEDGER_REQUEST = "X-Ledger-Request";

    private static final Duration LEASE_RENEWAL = Duration.ofSeconds(2);

    /** The session of this application for its whole life, to which others delegate. Closed with the client. */
    @Bean(destroyMethod = "")
    ServiceAgent agent(Caracal caracal, CaracalConfig config) {
        return Objects.requireNonNull(caracal.spawnService(ServiceOptions.builder()
                        .labels(config.applicationId())
                        .heartbeatInterval(LEASE_RENEWAL)
                        .build())
                .block());
    }

    @Bean
    WebHandler webHandler(Caracal caracal, CaracalConfig config, ServiceAgent agent, WebClient web, PrintStream out) {
        GatewayRequest entries =
                caracal.gatewayRequest(WebFluxChain.resource(config).resource(), "/entries");
        return RouterFunctions.toWebHandler(RouterFunctions.route(
                RequestPredicates.POST("/orders"), request -> place(request, caracal, entries, agent, web, out)));
    }

    private static Mono<ServerResponse> place(
            ServerRequest request,
            Caracal caracal,
            GatewayRequest entries,
            ServiceAgent agent,
            WebClient web,
            PrintStream out) {
        return Mono.zip(caracal.current(), request.bodyToMono(String.class)).flatMap(order -> {
            CaracalContext caller = order.getT1();
            String delegation = order.getT2();
            out.println("orders let in " + Callers.describe(caller));
            // In the session of this application, and the trace of its caller.
            return caracal.bind(
                    agent.context().inTraceOf(caller),
                    caracal.acceptDelegation(delegation, Acceptance.VALIDATED, accepted -> append(entries, web)));
        });
    }

    private static Mono<ServerResponse> append(GatewayRequest entries, WebClient web) {
        return web.post()
                .uri(entries.url())
                .headers(headers -> entries.headers().forEach(headers::set))
                .bodyValue("one order")
                .exchangeToMono(answer -> answer.bodyToMono(String.class)
                        .flatMap(body -> ServerResponse.status(answer.statusCode())
                                .header(
                                        LEDGER_REQUEST,
                                        answer.headers().asHttpHeaders().getFirst("X-Request-Id"))
                                .bodyValue(body)));
    }
}
