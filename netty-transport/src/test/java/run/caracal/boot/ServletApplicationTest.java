package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.context.ContextRegistry;
import io.micrometer.context.ContextSnapshot;
import io.micrometer.context.ContextSnapshotFactory;
import jakarta.servlet.Filter;
import jakarta.servlet.http.HttpServletRequest;
import java.util.Collections;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledForJreRange;
import org.junit.jupiter.api.condition.JRE;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.boot.web.servlet.FilterRegistrationBean;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.support.GenericApplicationContext;
import org.springframework.test.web.reactive.server.WebTestClient;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Mono;
import reactor.util.context.ContextView;
import run.caracal.Boundary;
import run.caracal.Caracal;
import run.caracal.InboundRequests;
import run.caracal.http.HttpTransport;
import run.caracal.micrometer.CaracalContextAccessor;
import run.caracal.netty.Await;
import run.caracal.netty.EchoServer;
import run.caracal.test.FakePlatform;

/** A servlet application with a WebClient: each request has its own thread, without a Reactor Context. */
class ServletApplicationTest {
    private static final String NO_SECURITY =
            "org.springframework.boot.security.autoconfigure.web.servlet.ServletWebSecurityAutoConfiguration,"
                    + "org.springframework.boot.security.autoconfigure.web.servlet.SecurityFilterAutoConfiguration,"
                    + "org.springframework.boot.security.autoconfigure.actuate.web.servlet.ManagementWebSecurityAutoConfiguration";

    private final EchoServer gateway = new EchoServer();
    private final FakePlatform platform = new FakePlatform();

    @AfterEach
    void close() {
        gateway.close();
        ContextRegistry.getInstance().removeThreadLocalAccessor(CaracalContextAccessor.KEY);
        assertThat(platform.live()).isEmpty();
    }

    private String get(String path, String... properties) {
        try (ConfigurableApplicationContext started = new SpringApplicationBuilder(Charging.class)
                .web(WebApplicationType.SERVLET)
                .initializers(context -> ((GenericApplicationContext) context)
                        .registerBean(
                                HttpTransport.class, () -> platform, definition -> definition.setDestroyMethodName("")))
                .properties(properties)
                .run(
                        "--server.port=0",
                        "--caracal.zone-id=zone-1",
                        "--caracal.application-id=app-1",
                        "--caracal.client-secret=hidden-value",
                        "--caracal.gateway-url=" + gateway.url(),
                        "--caracal.bindings[0].resource=resource://billing",
                        "--caracal.bindings[0].upstream-prefix=https://billing.example",
                        "--spring.autoconfigure.exclude=" + NO_SECURITY)) {
            return Objects.requireNonNull(WebTestClient.bindToServer()
                    .baseUrl("http://localhost:" + started.getEnvironment().getRequiredProperty("local.server.port"))
                    .responseTimeout(Await.BOUND)
                    .build()
                    .get()
                    .uri(path)
                    .headers(headers -> {
                        InboundRequests.HEADERS.forEach(headers::set);
                        headers.setBearerAuth("token-of-s-9");
                    })
                    .exchange()
                    .expectStatus()
                    .isOk()
                    .expectBody(String.class)
                    .returnResult()
                    .getResponseBody());
        }
    }

    private void assertCalledAs(String session) {
        assertThat(gateway.only().header("Authorization")).startsWith("Bearer ");
        assertThat(gateway.only().header("Baggage")).contains("caracal.agent_session=" + session);
    }

    @Test
    void aRequestThreadBlocksOnItsSession() {
        assertThat(get("/blocks")).startsWith("GET ");
        assertCalledAs("session-1");
    }

    @Test
    void aControllerReturnsItsSession() {
        assertThat(get("/returns")).startsWith("GET ");
        assertCalledAs("session-1");
    }

    /** A filter sets the thread-local, and the call captures it. */
    @Test
    void theContextOfTheRequestReachesTheCall() {
        assertThat(get("/captures")).startsWith("s-9: GET ");
        assertCalledAs("s-9");
    }

    @Test
    void aCallOutsideEverySessionIsNotSent() {
        assertThat(get("/outside")).isEqualTo("NoContextException");
        assertThat(gateway.arrivals).isEmpty();
    }

    @Test
    @EnabledForJreRange(min = JRE.JAVA_21)
    void aVirtualThreadBlocksOnItsSession() {
        assertThat(get("/thread", "spring.threads.virtual.enabled=true")).startsWith("VirtualThread");
        assertCalledAs("session-1");
    }

    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    @Import(Charges.class)
    static class Charging {
        private static final Boundary BOUNDARY = Boundary.verified(InboundRequests.bySession());

        @Bean
        WebClient client(WebClient.Builder builder) {
            return builder.build();
        }

        /** Verifies the caller, and exposes it to the thread while the request is handled. */
        @Bean
        FilterRegistrationBean<Filter> caller(Caracal caracal) {
            ContextSnapshotFactory snapshots = ContextSnapshotFactory.builder().build();
            FilterRegistrationBean<Filter> filter = new FilterRegistrationBean<>((request, response, chain) -> {
                ContextView caller = caracal.bindFromHeaders(
                                name -> Collections.list(((HttpServletRequest) request).getHeaders(name)),
                                BOUNDARY,
                                Mono.deferContextual(Mono::just))
                        .block(Await.BOUND);
                ContextSnapshot.Scope shown = snapshots.setThreadLocalsFrom(Objects.requireNonNull(caller));
                try {
                    chain.doFilter(request, response);
                } finally {
                    shown.close();
                }
            });
            filter.addUrlPatterns("/captures");
            return filter;
        }
    }

    @RestController
    static class Charges {
        private final Caracal caracal;
        private final WebClient client;

        Charges(Caracal caracal, WebClient client) {
            this.caracal = caracal;
            this.client = client;
        }

        private Mono<String> charge() {
            return client.get().uri("https://billing.example/charge").retrieve().bodyToMono(String.class);
        }

        @GetMapping("/blocks")
        @Nullable
        String blocks() {
            return caracal.spawn(session -> charge()).block(Await.BOUND);
        }

        @GetMapping("/returns")
        Mono<String> returns() {
            return caracal.spawn(session -> charge());
        }

        @GetMapping("/captures")
        String captures() {
            return CaracalContextAccessor.current().orElseThrow().agentSessionId() + ": "
                    + charge().contextCapture().block(Await.BOUND);
        }

        @GetMapping("/outside")
        @Nullable
        String outside() {
            return charge().onErrorResume(e -> Mono.just(e.getClass().getSimpleName()))
                    .block(Await.BOUND);
        }

        @GetMapping("/thread")
        String thread() {
            String thread = Thread.currentThread().toString();
            return thread + blocks();
        }
    }
}
