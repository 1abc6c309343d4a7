package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.verify.MandateRequirements;

/** The matching of requests to routes. */
class BoundaryRoutesTest {
    private static final Boundary BASE = Boundary.verified(InboundRequests.bySession());

    private static Boundary scope(String scope) {
        return BASE.requiring(MandateRequirements.builder().scopes(scope).build());
    }

    private static final BoundaryRoutes ROUTES = BoundaryRoutes.builder(scope("other"))
            .route("/invoices/**", scope("invoices"))
            .route("POST", "/invoices/**", scope("invoices-post"))
            .route("/invoices/*", scope("invoice"))
            .route("/invoices/paid", scope("paid"))
            .route("/invoices/*/lines/**", scope("lines"))
            .route("/public/secret/**", scope("secret"))
            .except("/public/**")
            .except("/health")
            .build();

    private static String met(String method, String path) {
        return ROUTES.boundaryOf(method, path)
                .map(boundary ->
                        boundary.spec().requirements().scopes().iterator().next())
                .orElse("none");
    }

    @ParameterizedTest
    @CsvSource({
        "GET, /, other",
        "GET, /invoices, invoices",
        "GET, /invoices/, invoices",
        "POST, /invoices, invoices-post",
        "GET, /invoices/7, invoice",
        "POST, /invoices/7, invoice",
        "GET, /invoices/paid, paid",
        "GET, /invoices/7/lines, lines",
        "GET, /invoices/7/lines/1/2, lines",
        "GET, /invoices/7/others, invoices",
        "POST, /invoices/7/others, invoices-post",
        "post, /invoices/7/others, invoices",
        "GET, /invoicesx, other",
        "GET, /Invoices/7/others, other",
        "GET, /health, none",
        "GET, /health?a=/invoices, none",
        "GET, /health/deep, other",
        "GET, /public, none",
        "GET, /public/a/b, none",
        "GET, /public/secret, secret",
        "GET, /public/secret/x, secret",
    })
    void theLongestPatternWins(String method, String path, String expected) {
        assertThat(met(method, path)).isEqualTo(expected);
    }

    @ParameterizedTest
    @ValueSource(strings = {"/public/%73ecret/x", "/public;a=b/secret;c/x", "//public//secret/x"})
    void noSpellingAvoidsARoute(String path) {
        assertThat(met("GET", path)).isEqualTo("secret");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "/public/../invoices",
                "/public/%2e%2e/invoices",
                "/public/..;a/invoices",
                "/public/a%2f..%2finvoices",
                "/public\\..\\invoices",
                "/public/%5c",
                "/public/%ff",
                "/./health",
            })
    void aPathThatCouldBeAnotherOneIsRefused(String path) {
        assertThatThrownBy(() -> ROUTES.boundaryOf("GET", path)).isInstanceOf(IllegalArgumentException.class);
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "invoices", "/a*", "/**/a", "/a/{id}", "/a%20b", "/../a", "/a;b", "/a?b"})
    void aPatternThatIsNoneIsRefused(String pattern) {
        assertThatThrownBy(() -> BoundaryRoutes.builder(BASE).except(pattern))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("pattern");
    }

    @Test
    void everyBoundaryIsTold() {
        BoundaryRoutes routes = BoundaryRoutes.builder(BASE)
                .route("/a", BASE.optional())
                .except("/b")
                .build();
        assertThat(routes.boundaries()).containsExactlyInAnyOrder(BASE, BASE.optional());
    }
}
