package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.lang.reflect.InvocationTargetException;
import java.net.URLClassLoader;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.stream.Stream;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import run.caracal.netty.ClassPath;

/**
 * Applications that lack some libraries. Each starts in a class loader without them, so that conditions are evaluated there,
 * and classes that need a missing library fail to link.
 */
class CombinationsTest {
    private static final String[] PROPERTIES = {
        "caracal.zone-id=zone-test",
        "caracal.application-id=app-test",
        "caracal.client-secret=hidden-value",
        "caracal.inbound.warmup=false",
        "server.port=0"
    };

    private static final String PROTECTED = "caracal.protected-resource=resource://orders";

    private static final List<String> CLIENT = List.of("caracal", "caracalConfig", "caracalLifecycle");
    private static final List<String> VERIFIER =
            List.of("caracalMandateVerifier", "caracalBoundaryRoutes", "caracalRevocations");
    private static final List<String> WEB_CLIENT = List.of("caracalWebClientCustomizer", "caracalConnectorCustomizer");
    private static final List<String> BOUNDARY = List.of("caracalWebFilter", "caracalArgumentConfigurer");
    private static final List<String> SECURITY = List.of("caracalAuthenticationBridge");
    private static final List<String> ACTUATOR =
            List.of("caracalHealthContributor", "caracalVerifierHealthIndicator", "caracalInfoContributor");
    private static final List<String> MICROMETER = List.of("caracalMetrics", "caracalObservations");
    private static final List<String> TRACING = List.of("caracalTraceSource");
    private static final List<String> PROPAGATION = List.of("caracalContextAccessor");
    private static final List<String> WARNING = List.of("caracalServletWarning");

    private static Object beans(String type, List<String> missing, String... properties) throws Throwable {
        ClassLoader before = Thread.currentThread().getContextClassLoader();
        try (URLClassLoader loader = ClassPath.without(jar -> missing.stream().anyMatch(jar::startsWith))) {
            Thread.currentThread().setContextClassLoader(loader);
            return loader.loadClass(Combination.class.getName())
                    .getMethod("beans", String.class, String[].class)
                    .invoke(
                            null,
                            type,
                            Stream.of(PROPERTIES, properties)
                                    .flatMap(Arrays::stream)
                                    .toArray(String[]::new));
        } catch (InvocationTargetException e) {
            throw e.getCause();
        } finally {
            Thread.currentThread().setContextClassLoader(before);
        }
    }

    /** A servlet application, or one without a web server. */
    private static Arguments row(String name, String type, List<String> missing, List<List<String>> beans) {
        return Arguments.of(
                name,
                type,
                missing,
                Stream.concat(Stream.of(CLIENT, VERIFIER), beans.stream())
                        .flatMap(Collection::stream)
                        .toList());
    }

    private static Arguments webFluxWithout(String library, List<String> missing, List<List<String>> beans) {
        return row(
                "WebFlux without " + library,
                "REACTIVE",
                missing,
                Stream.concat(Stream.of(WEB_CLIENT, BOUNDARY), beans.stream()).toList());
    }

    static Stream<Arguments> combinations() {
        return Stream.of(
                webFluxWithout("nothing", List.of(), List.of(SECURITY, ACTUATOR, MICROMETER, TRACING, PROPAGATION)),
                webFluxWithout(
                        "the actuator",
                        List.of("spring-boot-actuator", "spring-boot-health"),
                        List.of(SECURITY, MICROMETER, TRACING, PROPAGATION)),
                webFluxWithout(
                        "Micrometer",
                        List.of("micrometer-core", "micrometer-tracing", "spring-boot-micrometer"),
                        List.of(SECURITY, ACTUATOR, PROPAGATION)),
                webFluxWithout(
                        "Micrometer Tracing",
                        List.of("micrometer-tracing"),
                        List.of(SECURITY, ACTUATOR, MICROMETER, PROPAGATION)),
                webFluxWithout(
                        "context propagation",
                        List.of("context-propagation"),
                        List.of(SECURITY, ACTUATOR, MICROMETER, TRACING)),
                webFluxWithout(
                        "Spring Security",
                        List.of("spring-security", "spring-boot-security"),
                        List.of(ACTUATOR, MICROMETER, TRACING, PROPAGATION)),
                webFluxWithout(
                        "Lettuce",
                        List.of("lettuce", "spring-boot-data-redis"),
                        List.of(SECURITY, ACTUATOR, MICROMETER, TRACING, PROPAGATION)),
                row(
                        "servlet with WebClient",
                        "SERVLET",
                        List.of(),
                        List.of(WEB_CLIENT, ACTUATOR, MICROMETER, TRACING, PROPAGATION, WARNING)),
                row(
                        "servlet without WebFlux",
                        "SERVLET",
                        List.of("spring-webflux", "spring-boot-webflux", "spring-boot-webclient"),
                        List.of(ACTUATOR, MICROMETER, TRACING, PROPAGATION, WARNING)),
                row(
                        "without any web",
                        "NONE",
                        List.of(
                                "spring-web",
                                "spring-boot-web",
                                "spring-boot-http",
                                "spring-boot-servlet",
                                "spring-boot-tomcat",
                                "spring-boot-reactor-netty",
                                "spring-boot-security",
                                "spring-security",
                                "tomcat"),
                        List.of(ACTUATOR, MICROMETER, TRACING, PROPAGATION)));
    }

    @ParameterizedTest(name = "{0}")
    @MethodSource("combinations")
    void startsWithTheBeansThatMakeSense(String name, String type, List<String> missing, List<String> beans)
            throws Throwable {
        assertThat(beans(type, missing, PROTECTED))
                .as(name)
                .asInstanceOf(InstanceOfAssertFactories.collection(String.class))
                .containsExactlyInAnyOrderElementsOf(beans);
    }

    @Test
    void aProtectedResourceWithoutNimbusNamesTheArtifact() {
        assertThat(catchThrowable(() -> beans("REACTIVE", List.of("nimbus-jose-jwt"), PROTECTED)))
                .rootCause()
                .hasMessageContaining("com.nimbusds:nimbus-jose-jwt");
    }

    @Test
    void withoutNimbusAClientIsEnough() throws Throwable {
        assertThat(beans("NONE", List.of("nimbus-jose-jwt")))
                .asInstanceOf(InstanceOfAssertFactories.collection(String.class))
                .containsAll(CLIENT)
                .doesNotContainAnyElementsOf(VERIFIER);
    }

    /** A resource that reads no revocations would accept revoked mandates. */
    @Test
    void revocationsOfARedisWithoutLettuceNameTheArtifact() {
        assertThat(catchThrowable(() -> beans(
                        "REACTIVE", List.of("lettuce"), PROTECTED, "caracal.inbound.revocation.redis.enabled=true")))
                .rootCause()
                .hasMessageContaining("caracal.inbound.revocation.redis")
                .hasMessageContaining("io.lettuce:lettuce-core");
    }
}
