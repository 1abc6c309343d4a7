package run.caracal.examples.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.ByteBufMono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.client.HttpClientResponse;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.ProtectedResource;

/** The beans that the configuration gives an application. */
class CaracalConfigurationTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);

    private final WebFluxService ledger = new WebFluxService();
    private final LocalPlatform platform = LocalPlatform.builder()
            .resource(ProtectedResource.of(LedgerApplication.RESOURCE, LedgerApplication.APPEND)
                    .withUpstream(ledger.url()))
            .start();

    @BeforeEach
    void start() {
        CaracalConfig config = CaracalConfig.builder()
                .zoneId(platform.zoneId())
                .applicationId(platform.applicationId())
                .clientSecret(platform.clientSecret())
                .stsUrl(platform.stsUrl())
                .coordinatorUrl(platform.coordinatorUrl())
                .gatewayUrl(platform.gatewayUrl())
                .resource(LedgerApplication.RESOURCE, ledger.url(), LedgerApplication.APPEND)
                .disposeTimeout(Duration.ofMillis(200))
                .build();
        PrintStream nowhere = new PrintStream(OutputStream.nullOutputStream(), true, StandardCharsets.UTF_8);
        ledger.start(
                LedgerApplication.class,
                config,
                Map.of("caracal.protected-resource", LedgerApplication.RESOURCE),
                nowhere);
    }

    @AfterEach
    void stop() {
        ledger.close();
        platform.disposeLater().block(LIMIT);
    }

    private record Answer(int status, String challenge, String body) {}

    private static Mono<Answer> read(HttpClientResponse response, ByteBufMono body) {
        return body.asString()
                .defaultIfEmpty("")
                .map(text -> new Answer(
                        response.status().code(), response.responseHeaders().get("WWW-Authenticate", ""), text));
    }

    private Answer post(String path, String authorization) {
        return Objects.requireNonNull(HttpClient.create()
                .headers(headers -> {
                    if (!authorization.isEmpty()) {
                        headers.set("Authorization", authorization);
                    }
                })
                .post()
                .uri(ledger.url() + path)
                .responseSingle((response, body) -> read(response, body))
                .block(LIMIT));
    }

    @Test
    void withoutAMandateNothingIsLetIn() {
        Answer none = post("/entries", "");
        assertThat(none.status()).isEqualTo(401);
        assertThat(none.challenge()).startsWith("Bearer");
        assertThat(none.body()).contains("\"error\":\"missing_token\"");
        assertThat(post("/entries", "Bearer not.a.token").body()).contains("\"error\":\"invalid_token\"");
        // The application's own token is no mandate for a resource, although the zone signed it.
        Caracal caracal = ledger.bean(Caracal.class);
        String token = Objects.requireNonNull(caracal.headersAsApplication().block(LIMIT))
                .get("Authorization");
        assertThat(post("/entries", Objects.requireNonNull(token)).status()).isEqualTo(401);
        assertThat(post("/health", "").status()).as("left alone, and not there").isEqualTo(404);
    }

    /** Sessions that are still open when the application stops are ended, within the dispose timeout of the client. */
    @Test
    void closingTheContextEndsWhatIsOpen() {
        Caracal caracal = ledger.bean(Caracal.class);
        Sinks.One<String> opened = Sinks.one();
        Disposable work = caracal.spawn(session -> {
                    opened.tryEmitValue(session.agentSessionId()).orThrow();
                    return Mono.never();
                })
                .subscribe(never -> {}, ended -> {});
        assertThat(opened.asMono().block(LIMIT)).isNotNull();
        assertThat(caracal.spawnService().block(LIMIT)).isNotNull();
        assertThat(platform.openSessionCount()).isEqualTo(2);

        ledger.close();

        assertThat(caracal.isDisposed()).isTrue();
        assertThat(platform.openSessionCount()).isZero();
        work.dispose();
    }
}
