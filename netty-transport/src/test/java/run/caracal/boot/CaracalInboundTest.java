package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.springframework.boot.test.context.runner.ReactiveWebApplicationContextRunner;
import org.springframework.http.HttpStatus;
import org.springframework.security.core.GrantedAuthority;
import org.springframework.security.core.context.ReactiveSecurityContextHolder;
import org.springframework.test.web.reactive.server.WebTestClient;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.server.WebFilter;
import reactor.core.publisher.Mono;
import run.caracal.Boundary;
import run.caracal.BoundaryRoutes;
import run.caracal.InboundRequests;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.http.HttpTransport;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.MandateVerifier;
import run.caracal.verify.RevocationStore;
import run.caracal.verify.VerifiedMandate;
import run.caracal.webflux.CaracalWebFilter;

/** An application that is a protected resource. */
class CaracalInboundTest {
    private final ReactiveWebApplicationContextRunner context = Contexts.reactive()
            .withBean(HttpTransport.class, Unreachable::new)
            .withPropertyValues("caracal.protected-resource=resource://orders", "caracal.inbound.warmup=false");

    @Test
    void itHasAVerifierAndABoundary() {
        context.run(started -> assertThat(started)
                .hasNotFailed()
                .hasSingleBean(JwksMandateVerifier.class)
                .hasSingleBean(CaracalWebFilter.class)
                .hasSingleBean(InMemoryRevocationStore.class));
    }

    @Test
    void withoutTheResourceThereIsNone() {
        Contexts.reactive()
                .run(started -> assertThat(started)
                        .hasNotFailed()
                        .doesNotHaveBean(MandateVerifier.class)
                        .doesNotHaveBean(CaracalWebFilter.class));
    }

    @Test
    void whatTheApplicationHasTakesTheirPlace() {
        BoundaryRoutes routes = BoundaryRoutes.builder(Boundary.verified(InboundRequests.bySession()))
                .build();
        context.withBean(BoundaryRoutes.class, () -> routes)
                .withBean(MandateVerifier.class, InboundRequests::bySession)
                .withBean(RevocationStore.class, InMemoryRevocationStore::create)
                .run(started -> {
                    assertThat(started).hasNotFailed().doesNotHaveBean(JwksMandateVerifier.class);
                    assertThat(started.getBean(BoundaryRoutes.class)).isSameAs(routes);
                });
    }

    /** An application must not start unprotected by mistake. */
    @Test
    void aFaultOfItFailsTheStart() {
        context.withPropertyValues("caracal.inbound.max-hops=11")
                .run(started -> assertThat(started)
                        .getFailure()
                        .rootCause()
                        .hasMessageContaining("caracal.inbound")
                        .hasMessageContaining("maxHops"));
        context.withPropertyValues("caracal.inbound.except=health")
                .run(started -> assertThat(started).getFailure().rootCause().hasMessageContaining("pattern"));
    }

    @Test
    void itsRoutesTakeWhatTheyDoNotSayFromTheOthers() {
        context.withPropertyValues(
                        "caracal.inbound.scopes=orders:read",
                        "caracal.inbound.delegation=false",
                        "caracal.inbound.routes[0].path=/orders/**",
                        "caracal.inbound.routes[0].methods=POST,PUT",
                        "caracal.inbound.routes[0].scopes=orders:write",
                        "caracal.inbound.routes[1].path=/public/**",
                        "caracal.inbound.routes[1].without-bearer=passes",
                        "caracal.inbound.except=/health")
                .run(started -> {
                    BoundaryRoutes routes = started.getBean(BoundaryRoutes.class);
                    MandateVerifier verifier = started.getBean(MandateVerifier.class);
                    MandateRequirements base = MandateRequirements.builder()
                            .targets("resource://orders")
                            .scopes("orders:read")
                            .session(true)
                            .build();
                    Boundary reading = Boundary.verified(verifier).requiring(base);
                    Boundary writing = Boundary.verified(verifier)
                            .requiring(base.mutate().scopes("orders:write").build());
                    assertThat(routes.boundaryOf("GET", "/orders/7")).contains(reading);
                    assertThat(routes.boundaryOf("POST", "/orders/7")).contains(writing);
                    assertThat(routes.boundaryOf("PUT", "/orders/7")).contains(writing);
                    assertThat(routes.boundaryOf("GET", "/public/x")).contains(reading.optional());
                    assertThat(routes.boundaryOf("GET", "/health")).isEqualTo(Optional.empty());
                });
    }

    private static VerifiedMandate mandate() {
        return InboundRequests.mandate(
                claims -> claims.agentSessionId("session-1").scopes(List.of("orders:read")));
    }

    @RestController
    static class Orders {
        @GetMapping("/orders")
        Mono<String> orders(@CurrentCaller VerifiedMandate caller) {
            return ReactiveSecurityContextHolder.getContext()
                    .map(security -> caller.agentSessionId().orElse("none") + " "
                            + Objects.requireNonNull(security.getAuthentication()).getAuthorities().stream()
                                    .map(GrantedAuthority::getAuthority)
                                    .toList());
        }

        @GetMapping("/public")
        String open(@CurrentCaller(required = false) @Nullable VerifiedMandate caller) {
            return caller == null ? "nobody" : "somebody";
        }

        @PostMapping("/public")
        String mine(@CurrentCaller VerifiedMandate caller) {
            return "somebody";
        }
    }

    @Test
    void aControllerSeesTheProvenCaller() {
        MandateVerifier verifier = (bearer, requirements) -> bearer.equals("good")
                ? Mono.just(mandate())
                : Mono.error(new InboundException(Reason.INVALID_TOKEN, "The token is bad"));
        context.withBean(MandateVerifier.class, () -> verifier)
                .withBean(Orders.class)
                .withPropertyValues(
                        "caracal.inbound.routes[0].path=/public",
                        "caracal.inbound.routes[0].without-bearer=passes",
                        "spring.autoconfigure.exclude=" + Contexts.WEB_SECURITY)
                .run(started -> {
                    WebTestClient client = WebTestClient.bindToApplicationContext(started)
                            .webFilter(started.getBeanProvider(WebFilter.class)
                                    .orderedStream()
                                    .toArray(WebFilter[]::new))
                            .build();
                    client.get()
                            .uri("/orders")
                            .header("Authorization", "Bearer good")
                            .exchange()
                            .expectBody(String.class)
                            .isEqualTo("session-1 [SCOPE_orders:read]");
                    client.get()
                            .uri("/orders")
                            .exchange()
                            .expectStatus()
                            .isUnauthorized()
                            .expectHeader()
                            .valueMatches("WWW-Authenticate", "Bearer.*");
                    client.get()
                            .uri("/public")
                            .exchange()
                            .expectBody(String.class)
                            .isEqualTo("nobody");
                    client.post().uri("/public").exchange().expectStatus().isEqualTo(HttpStatus.UNAUTHORIZED);
                });
    }

    @Test
    void aServletApplicationGetsTheVerifierAlone() {
        Contexts.servlet()
                .withBean(HttpTransport.class, Unreachable::new)
                .withPropertyValues("caracal.protected-resource=resource://orders", "caracal.inbound.warmup=false")
                .run(started -> assertThat(started)
                        .hasNotFailed()
                        .hasSingleBean(MandateVerifier.class)
                        .doesNotHaveBean(CaracalWebFilter.class));
    }
}
