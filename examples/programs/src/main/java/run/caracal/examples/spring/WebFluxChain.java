package run.caracal.examples.spring;

import java.io.PrintStream;
import java.time.Duration;
import java.util.Objects;
import java.util.UUID;
import org.jspecify.annotations.Nullable;
import org.springframework.http.HttpHeaders;
import org.springframework.web.reactive.function.client.ClientResponse;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;
import run.caracal.DelegationSpec;
import run.caracal.ServiceAgent;
import run.caracal.config.CaracalConfig;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.ProtectedResource;
import run.caracal.webflux.CaracalExchangeFilter;

/**
 * Three applications in a row, each as good as a program of its own: an agent delegates to the session of the orders
 * application and calls it through the Gateway; that proves who calls, accepts the delegation and calls the ledger with a
 * mandate of its own; the ledger proves the whole chain. One trace runs through.
 *
 * <p>A resource belongs to the application that calls it: the orders to the agent, the ledger to the orders application. The
 * agent holds nothing on the ledger, and may still delegate its scopes to the application that does.
 */
public final class WebFluxChain implements AutoCloseable {
    private static final String AGENT = "app-agent";
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(15);

    private final PrintStream out;
    private final String secret = UUID.randomUUID().toString();
    private final WebFluxService orders = new WebFluxService();
    private final WebFluxService ledger = new WebFluxService();
    private final LocalPlatform platform;
    private final Caracal agent;

    private WebFluxChain(PrintStream out) {
        this.out = out;
        platform = LocalPlatform.builder()
                .application(AGENT, secret)
                .application(OrdersApplication.ID, secret)
                .application(LedgerApplication.ID, secret)
                .resource(ProtectedResource.of(OrdersApplication.RESOURCE, OrdersApplication.PLACE)
                        .withUpstream(orders.url()))
                .resource(ProtectedResource.of(LedgerApplication.RESOURCE, LedgerApplication.APPEND)
                        .withOwner(OrdersApplication.ID)
                        .withUpstream(ledger.url()))
                .start();
        agent = Caracal.create(config(AGENT)
                .resource(OrdersApplication.RESOURCE, orders.url(), OrdersApplication.PLACE)
                .build());
    }

    /**
     * Runs the program on a local platform of its own.
     *
     * @param out where it prints
     */
    public static void run(PrintStream out) {
        try (WebFluxChain chain = new WebFluxChain(out)) {
            CaracalConfig ledger = chain.config(LedgerApplication.ID).build();
            chain.ledger.start(LedgerApplication.class, ledger, LedgerApplication.RESOURCE, out);
            CaracalConfig orders = chain.config(OrdersApplication.ID)
                    .resource(LedgerApplication.RESOURCE, chain.ledger.url(), LedgerApplication.APPEND)
                    .build();
            chain.orders.start(OrdersApplication.class, orders, OrdersApplication.RESOURCE, out);
            chain.order().block(LIMIT);
        }
    }

    private CaracalConfig.Builder config(String application) {
        return CaracalConfig.builder()
                .zoneId(platform.zoneId())
                .applicationId(application)
                .clientSecret(secret)
                .stsUrl(platform.stsUrl())
                .coordinatorUrl(platform.coordinatorUrl())
                .gatewayUrl(platform.gatewayUrl());
    }

    private Mono<Void> order() {
        WebClient web =
                WebClient.builder().filter(CaracalExchangeFilter.create(agent)).build();
        // In a deployment of its own an application would tell its session, for instance in a registry.
        String receiver = orders.bean(ServiceAgent.class).agentSessionId();
        return agent.spawn(session -> {
                    out.println("agent session " + session.agentSessionId() + " opened, trace " + session.traceId());
                    return agent.createDelegation(DelegationSpec.builder()
                                    .to(receiver, OrdersApplication.ID)
                                    .scopes(LedgerApplication.APPEND)
                                    .resource(LedgerApplication.RESOURCE)
                                    .ttl(Duration.ofMinutes(5))
                                    .build())
                            .doOnNext(delegation -> out.println("agent delegated " + LedgerApplication.APPEND
                                    + " to session " + receiver + " of " + OrdersApplication.ID))
                            .flatMap(delegation -> web.post()
                                    .uri(orders.url() + "/orders")
                                    .bodyValue(delegation.delegationEdgeId())
                                    .exchangeToMono(this::report));
                })
                .doOnSuccess(done -> out.println("agent session closed"));
    }

    private Mono<Void> report(ClientResponse answer) {
        return answer.bodyToMono(String.class)
                .doOnNext(body -> {
                    HttpHeaders headers = answer.headers().asHttpHeaders();
                    out.println("gateway " + answer.statusCode().value() + " " + body);
                    explain("orders", headers.getFirst("X-Request-Id"));
                    explain("ledger", headers.getFirst(OrdersApplication.LEDGER_REQUEST));
                })
                .then();
    }

    private void explain(String hop, @Nullable String requestId) {
        platform.audit().byRequestId(Objects.requireNonNull(requestId)).stream()
                .map(event ->
                        "audit " + event.eventType() + " " + event.decision() + " " + event.requestId() + " " + hop)
                .forEach(out::println);
    }

    @Override
    public void close() {
        agent.disposeLater().block(CLOSE_TIMEOUT);
        orders.close();
        ledger.close();
        out.println("sessions still open: " + platform.openSessionCount());
        platform.disposeLater().block(CLOSE_TIMEOUT);
    }
}
