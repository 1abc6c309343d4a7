package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import okhttp3.Handshake;
import okhttp3.tls.HeldCertificate;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.springframework.boot.ssl.SslBundleRegistry;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.context.ApplicationContext;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.config.CaracalConfig;
import run.caracal.error.TransportException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.netty.Await;
import run.caracal.netty.Certificates;

/** TLS to the platform with an SSL bundle of Boot: its trust store and its client certificate. */
class CaracalSslBundleTest {
    private static final String CLIENT = "orders-application";

    private final Certificates platform = new Certificates();
    private final MockWebServer server = new MockWebServer();
    private final ApplicationContextRunner context = Contexts.plain()
            .withPropertyValues("caracal.ssl.bundle=platform")
            .withPropertyValues(bundle("platform", platform));

    @BeforeEach
    void start() throws Exception {
        server.useHttps(platform.forServer().sslSocketFactory());
        server.requireClientAuth();
        server.enqueue(new MockResponse.Builder().body("here").build());
        server.start();
    }

    @AfterEach
    void close() {
        server.close();
    }

    private static String[] bundle(String name, Certificates certificates) {
        HeldCertificate client = certificates.issue(CLIENT);
        String prefix = "spring.ssl.bundle.pem." + name;
        return new String[] {
            prefix + ".truststore.certificate=" + certificates.authority.certificatePem(),
            prefix + ".keystore.certificate=" + client.certificatePem(),
            prefix + ".keystore.private-key=" + client.privateKeyPkcs8Pem()
        };
    }

    private Mono<HttpResponse> call(ApplicationContext started) {
        URI uri = server.url("/").uri();
        return started.getBean(CaracalConfig.class)
                .transport()
                .orElseThrow()
                .exchange(new HttpRequest("POST", uri, Map.of(), new byte[0], Duration.ofSeconds(10), 1024));
    }

    private void arrives(ApplicationContext started) throws Exception {
        StepVerifier.create(call(started))
                .assertNext(answer -> assertThat(answer.status()).isEqualTo(200))
                .expectComplete()
                .verify(Await.BOUND);
        Handshake handshake = Objects.requireNonNull(server.takeRequest().getHandshake());
        assertThat(handshake.peerPrincipal()).hasToString("CN=" + CLIENT);
    }

    @Test
    void itsKeysAndCertificatesAreUsed() {
        context.run(started -> {
            assertThat(started).hasNotFailed();
            arrives(started);
        });
    }

    @Test
    void aReloadedOneIsFollowed() {
        context.withPropertyValues(bundle("platform", new Certificates()))
                .withPropertyValues(bundle("renewed", platform))
                .run(started -> {
                    StepVerifier.create(call(started))
                            .expectError(TransportException.class)
                            .verify(Await.BOUND);
                    started.getBean(SslBundleRegistry.class)
                            .updateBundle(
                                    "platform",
                                    started.getBean(SslBundles.class).getBundle("renewed"));
                    arrives(started);
                });
    }

    @Test
    void oneThatIsNotThereFailsTheStart() {
        Contexts.plain()
                .withPropertyValues("caracal.ssl.bundle=platfrom")
                .run(started -> assertThat(started).getFailure().rootCause().hasMessageContaining("platfrom"));
    }
}
