package run.caracal.examples.spring;

import java.io.PrintStream;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
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
import run.caracal.config.ResourceBinding;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.ProtectedResource;
import run.caracal.webflux.CaracalExchangeFilter;

/**
 * A chain of three applications, each of which could be its own program: an agent delegates to the session of the orders
 * application and calls it through the Gateway; the orders application verifies its caller, accepts the delegation and calls
 * the ledger with its own mandate; the ledger verifies the whole chain. All share one trace.
 *
 * <p>With a Redis, {@code -Dredis=redis://127.0.0.1:6379}, the platform writes revocations to it, and the services read them:
 * the agent revokes its delegation at the Coordinator, and the ledger rejects an earlier mandate.
 *
 * <p>A resource belongs to the application that calls it: the orders to the agent, the ledger to the orders application. The
 * agent may delegate scopes of the ledger to its owner without any grant of its own.
 */
public final class WebFluxChain implements AutoCloseable {
    private static final String AGENT = "app-agent";
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration LOOK_AGAIN = Duration.ofMillis(20);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(15);

    /** The signing key of the local platform, unless {@code STREAMS_HMAC_KEY} is set; that of a deployment is secret. */
    private static final String LOCAL_KEY = "6c6f63616c20706c6174666f726d";

    private static final String HMAC_KEY = Objects.requireNonNullElse(System.getenv("STREAMS_HMAC_KEY"), LOCAL_KEY);

    private final PrintStream out;
    private final @Nullable String redis;
    private final CaracalConfig calling;
    private final CaracalConfig called;
    private final WebFluxService orders;
    private final WebFluxService ledger;
    private final @Nullable LocalPlatform platform;
    private final Caracal agent;

    private WebFluxChain(
            CaracalConfig calling,
            CaracalConfig called,
            WebFluxService orders,
            WebFluxService ledger,
            @Nullable LocalPlatform platform,
            @Nullable String redis,
            PrintStream out) {
        this.calling = calling;
        this.called = called;
        this.orders = orders;
        this.ledger = ledger;
        this.platform = platform;
        this.redis = redis;
        this.out = out;
        agent = Caracal.create(calling);
    }

    /**
     * Runs the program on its own local platform, with the Redis that the system property {@code redis} names.
     *
     * @param out the output
     */
    public static void run(PrintStream out) {
        run(out, redis());
    }

    static void run(PrintStream out, @Nullable String redis) {
        String secret = UUID.randomUUID().toString();
        WebFluxService orders = new WebFluxService();
        WebFluxService ledger = new WebFluxService();
        LocalPlatform.Builder builder = LocalPlatform.builder()
                .application(AGENT, secret)
                .application(OrdersApplication.ID, secret)
                .resource(ProtectedResource.of(OrdersApplication.RESOURCE, OrdersApplication.PLACE)
                        .withUpstream(orders.url()))
                .resource(ProtectedResource.of(LedgerApplication.RESOURCE, LedgerApplication.APPEND)
                        .withOwner(OrdersApplication.ID)
                        .withUpstream(ledger.url()));
        LocalPlatform platform = (redis == null ? builder : builder.revocationStreams(redis, HMAC_KEY)).start();
        CaracalConfig.Builder connected = CaracalConfig.builder()
                .zoneId(platform.zoneId())
                .clientSecret(secret)
                .stsUrl(platform.stsUrl())
                .coordinatorUrl(platform.coordinatorUrl())
                .gatewayUrl(platform.gatewayUrl());
        CaracalConfig calling = connected
                .applicationId(AGENT)
                .resources(List.of(new ResourceBinding(
                        OrdersApplication.RESOURCE, orders.url(), List.of(OrdersApplication.PLACE))))
                .build();
        CaracalConfig called = connected
                .applicationId(OrdersApplication.ID)
                .resources(List.of(new ResourceBinding(
                        LedgerApplication.RESOURCE, ledger.url(), List.of(LedgerApplication.APPEND))))
                .build();
        try (WebFluxChain chain = new WebFluxChain(calling, called, orders, ledger, platform, redis, out)) {
            chain.run();
        }
    }

    /**
     * Runs the program against a deployment. Each of the two applications has one resource with its scopes; this program
     * listens at its address, where the Gateway has to reach it. The services read the deployment's revocations from the Redis
     * that the system property {@code redis} names.
     *
     * @param calling the agent, whose resource is the orders
     * @param called the orders application, whose resource is the ledger
     * @param out the output
     */
    public static void run(CaracalConfig calling, CaracalConfig called, PrintStream out) {
        WebFluxService orders = new WebFluxService(resource(calling).upstreamPrefix());
        WebFluxService ledger = new WebFluxService(resource(called).upstreamPrefix());
        try (WebFluxChain chain = new WebFluxChain(calling, called, orders, ledger, null, redis(), out)) {
            chain.run();
        }
    }

    private static @Nullable String redis() {
        return System.getProperty("redis");
    }

    static ResourceBinding resource(CaracalConfig config) {
        return config.resources().get(0);
    }

    private void run() {
        ledger.start(LedgerApplication.class, called, properties("ledger", called), out);
        orders.start(OrdersApplication.class, called, properties("orders", calling), out);
        order().block(LIMIT);
    }

    private Map<String, Object> properties(String service, CaracalConfig caller) {
        Map<String, Object> properties = new HashMap<>(
                Map.of("caracal.protected-resource", resource(caller).resource()));
        if (redis != null) {
            properties.put("caracal.redis.uri", redis);
            properties.put("caracal.redis.hmac-key", HMAC_KEY);
            properties.put("caracal.redis.consumer", service + "-1");
        }
        return properties;
    }

    private Mono<Void> order() {
        WebClient web =
                WebClient.builder().filter(CaracalExchangeFilter.create(agent)).build();
        // A real application would publish its session, for instance in a registry.
        String receiver = orders.bean(ServiceAgent.class).agentSessionId();
        ResourceBinding owned = resource(called);
        DelegationSpec spec = DelegationSpec.builder()
                .to(receiver, called.applicationId())
                .scopes(owned.scopes())
                .resource(owned.resource())
                .ttl(Duration.ofMinutes(5))
                .build();
        return agent.spawn(session -> {
                    out.println("agent session " + session.agentSessionId() + " opened, trace " + session.traceId());
                    return agent.createDelegation(spec)
                            .doOnNext(delegation -> out.println("agent delegated " + String.join(" ", owned.scopes())
                                    + " to session " + receiver + " of " + called.applicationId()))
                            .flatMap(delegation -> web.post()
                                    .uri(resource(calling).upstreamPrefix() + "/orders")
                                    .bodyValue(delegation.delegationEdgeId())
                                    .exchangeToMono(this::report)
                                    .then(Mono.defer(() ->
                                            redis == null ? Mono.empty() : revoke(delegation.delegationEdgeId()))));
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

    /**
     * Revokes the delegation while the mandate of the last call to the ledger is still valid. The platform mints no further
     * one, and the ledger itself rejects this one.
     */
    private Mono<Void> revoke(String delegation) {
        String authorization = ledger.lastAuthorization();
        Mono<Integer> answer = WebClient.create(ledger.url())
                .post()
                .uri("/entries")
                .header(HttpHeaders.AUTHORIZATION, authorization)
                .exchangeToMono(response ->
                        response.releaseBody().thenReturn(response.statusCode().value()));
        Mono<Integer> refusal = answer.filter(status -> status != 200)
                .repeatWhenEmpty(again -> again.delayElements(LOOK_AGAIN))
                .timeout(LIMIT);
        return answer.doOnNext(status -> out.println("ledger answers its last mandate with " + status))
                .then(agent.revokeDelegation(delegation))
                .then(Mono.fromRunnable(() -> out.println("agent revoked its delegation")))
                .then(refusal.elapsed())
                .doOnNext(refused -> out.println(
                        "ledger refuses the mandate with " + refused.getT2() + " after " + refused.getT1() + " ms"))
                .then();
    }

    private void explain(String hop, @Nullable String requestId) {
        if (platform == null) {
            out.println("Look the request " + requestId + " of " + hop + " up in the Console: audit, then explain");
            return;
        }
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
        if (platform != null) {
            out.println("sessions still open: " + platform.openSessionCount());
            platform.disposeLater().block(CLOSE_TIMEOUT);
        }
    }
}
