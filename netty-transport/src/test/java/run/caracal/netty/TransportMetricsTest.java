package run.caracal.netty;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.core.instrument.Meter;
import io.micrometer.core.instrument.Metrics;
import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
import java.net.URI;
import java.time.Duration;
import java.util.HashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;
import run.caracal.http.HttpRequest;

class TransportMetricsTest {
    @Test
    void pathsAreTagsWithoutTheirIds() {
        assertThat(NettyHttpTransport.uriTag("/oauth/2/token")).isEqualTo("/oauth/2/token");
        assertThat(NettyHttpTransport.uriTag("/zones/z-1/agents/a%2Fb/heartbeat"))
                .isEqualTo("/zones/{id}/agents/{id}/heartbeat");
        assertThat(NettyHttpTransport.uriTag("/approvals/x?wait=25")).isEqualTo("/approvals/{id}");
        assertThat(NettyHttpTransport.uriTag("/base/zones/z/delegations/inbound/s/e"))
                .isEqualTo("/{id}/zones/{id}/delegations/inbound/{id}/{id}");
        assertThat(NettyHttpTransport.uriTag("/")).isEqualTo("/");
        assertThat(NettyHttpTransport.uriTag("/a".repeat(5_000))).hasSizeLessThan(60);
    }

    @Test
    void callsAreMeteredOnlyWhenWanted() {
        try (EchoServer server = new EchoServer()) {
            SimpleMeterRegistry registry = new SimpleMeterRegistry();
            // The meters of a pool are removed with it.
            Queue<String> added = new ConcurrentLinkedQueue<>();
            registry.config().onMeterAdded(meter -> added.add(meter.getId().getName()));
            Metrics.addRegistry(registry);
            try {
                call(NettyHttpTransport.builder(), server);
                assertThat(registry.getMeters()).isEmpty();
                call(NettyHttpTransport.builder().metrics(true), server);
                Set<String> uris = new HashSet<>();
                for (Meter meter : registry.getMeters()) {
                    String uri = meter.getId().getTag("uri");
                    if (uri != null) {
                        uris.add(uri);
                    }
                }
                // A connection has no path: its meters say "http".
                assertThat(uris).containsExactlyInAnyOrder("/zones/{id}/agents/{id}", "http");
                assertThat(registry.find("reactor.netty.http.client.response.time")
                                .timers())
                        .isNotEmpty();
                assertThat(added).anyMatch(name -> name.startsWith("reactor.netty.connection.provider"));
            } finally {
                Metrics.removeRegistry(registry);
            }
        }
    }

    private static void call(NettyHttpTransport.Builder builder, EchoServer server) {
        NettyHttpTransport transport = builder.build();
        for (int i = 0; i < 5; i++) {
            var answer = transport
                    .exchange(new HttpRequest(
                            "DELETE",
                            URI.create(server.url() + "/zones/z-" + i + "/agents/a-" + i),
                            Map.of(),
                            new byte[0],
                            Duration.ofSeconds(5),
                            1024))
                    .block(Await.BOUND);
            assertThat(Objects.requireNonNull(answer).status()).isEqualTo(200);
        }
        Await.done(transport.disposeLater());
    }
}
