package run.caracal.examples.faults;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;
import run.caracal.ServiceAgent;
import run.caracal.ServiceOptions;
import run.caracal.netty.CaracalHttp;
import run.caracal.platform.GatewayMode;
import run.caracal.platform.LocalPlatform;

/** A program that ends without closing its client: no thread keeps it alive, and its log contains no secret. */
class LiveLeaseTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @Test
    void aProgramEndsWithALiveLeaseAndItsDebugLogHoldsNoSecret(@TempDir Path directory)
            throws IOException, InterruptedException {
        File log = directory.resolve("log").toFile();
        Process program = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        "-Dorg.slf4j.simpleLogger.defaultLogLevel=debug",
                        Program.class.getName()))
                .redirectErrorStream(true)
                .redirectOutput(log)
                .start();
        boolean ended = program.waitFor(2 * LIMIT.toSeconds(), TimeUnit.SECONDS);
        if (!ended) {
            program.destroyForcibly();
        }
        String text = Files.readString(log.toPath(), StandardCharsets.UTF_8);
        assertThat(ended).as("ends by itself").isTrue();
        assertThat(program.exitValue()).isZero();
        assertThat(text).contains("DEBUG").contains("the lease is live: 200");
        // Every token of the platform begins like this.
        assertThat(text.contains("eyJ")).as("a token in the log").isFalse();
        assertThat(text.contains(Bench.SECRET))
                .as("the client secret in the log")
                .isFalse();
    }

    /** Renews a lease in the background, makes a call and ends without closing anything. */
    static final class Program {
        private Program() {}

        public static void main(String[] arguments) {
            LocalPlatform platform = LocalPlatform.builder()
                    .gatewayMode(GatewayMode.ONE_SHOT)
                    .application("app-local", Bench.SECRET)
                    .start();
            Caracal caracal = Caracal.create(platform.config());
            HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
            ServiceOptions renewed = ServiceOptions.builder()
                    .heartbeatInterval(Duration.ofSeconds(1))
                    .build();
            ServiceAgent agent =
                    caracal.spawnService(renewed).blockOptional(LIMIT).orElseThrow();
            Mono<Integer> call = http.get()
                    .uri(platform.upstreamUrl() + "/echo")
                    .responseSingle((response, body) ->
                            body.asString().thenReturn(response.status().code()));
            int status = agent.bind(call)
                    .delayUntil(answered -> agent.heartbeats().next())
                    .blockOptional(LIMIT)
                    .orElseThrow();
            System.out.println("the lease is live: " + status + " " + agent + caracal);
        }
    }
}
