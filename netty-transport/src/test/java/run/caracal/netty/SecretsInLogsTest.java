package run.caracal.netty;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import reactor.netty.http.client.HttpClient;
import reactor.util.context.Context;
import run.caracal.http.HttpRequest;

/** Nothing that is logged at DEBUG holds a token. In a JVM of its own, because of the log level. */
class SecretsInLogsTest {

    @Test
    void debugLogsHoldNoToken(@TempDir Path directory) throws IOException, InterruptedException {
        File log = directory.resolve("log").toFile();
        Process process = new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        "-Dorg.slf4j.simpleLogger.defaultLogLevel=debug",
                        Program.class.getName()))
                .redirectErrorStream(true)
                .redirectOutput(log)
                .start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        String text = Files.readString(log.toPath(), StandardCharsets.UTF_8);
        assertThat(process.exitValue()).as(text).isZero();
        assertThat(text).contains("DEBUG").contains("done");
        assertThat(text).doesNotContain("s3cret");
    }

    static final class Program {
        private Program() {}

        public static void main(String[] arguments) {
            try (EchoServer server = new EchoServer()) {
                NettyHttpTransport transport = NettyHttpTransport.create();
                for (String path : List.of("/x", "/hang")) {
                    HttpRequest request = new HttpRequest(
                            "POST",
                            URI.create(server.url() + path),
                            Map.of("Authorization", "Bearer s3cret"),
                            "client_secret=s3cret".getBytes(StandardCharsets.UTF_8),
                            Duration.ofMillis(500),
                            1000);
                    Await.done(transport.exchange(request).onErrorComplete(it -> {
                        System.out.println(it);
                        return true;
                    }));
                }
                Await.done(transport.disposeLater());
                HttpClient client = CaracalHttp.decorate(HttpClient.create(), new TestPolicy(server.url()));
                Await.done(client.get()
                        .uri(TestPolicy.BOUND + "/x")
                        .response()
                        .contextWrite(Context.of("user", "s3cret")));
                System.out.println("done " + client + transport);
            }
        }
    }
}
