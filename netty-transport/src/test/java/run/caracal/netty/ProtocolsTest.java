package run.caracal.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.handler.ssl.SslContextBuilder;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.netty.http.Http11SslContextSpec;
import reactor.netty.http.Http2SslContextSpec;
import reactor.netty.http.HttpProtocol;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.netty.tcp.SslProvider.GenericSslContextSpec;
import reactor.test.StepVerifier;
import reactor.util.context.Context;
import run.caracal.error.RoutingException;

/** The same identity on HTTP/1.1, h2c with and without upgrade, TLS and h2. */
class ProtocolsTest {
    private static final Certificates CERTIFICATES = new Certificates();

    static Stream<List<HttpProtocol>> protocols() {
        return Stream.of(
                List.of(HttpProtocol.HTTP11),
                List.of(HttpProtocol.H2C),
                List.of(HttpProtocol.HTTP11, HttpProtocol.H2C),
                List.of(HttpProtocol.H2, HttpProtocol.HTTP11),
                List.of(HttpProtocol.H2),
                List.of());
    }

    private static EchoServer server(List<HttpProtocol> protocols) {
        boolean tls = protocols.isEmpty() || protocols.contains(HttpProtocol.H2);
        GenericSslContextSpec<SslContextBuilder> context = protocols.isEmpty()
                ? Http11SslContextSpec.forServer(
                        CERTIFICATES.server.keyPair().getPrivate(), CERTIFICATES.server.certificate())
                : Http2SslContextSpec.forServer(
                        CERTIFICATES.server.keyPair().getPrivate(), CERTIFICATES.server.certificate());
        return new EchoServer(tls ? "https" : "http", it -> {
            var configured = protocols.isEmpty() ? it : it.protocol(protocols.toArray(new HttpProtocol[0]));
            return tls ? configured.secure(spec -> spec.sslContext(context)) : configured;
        });
    }

    private static HttpClient client(List<HttpProtocol> protocols, ConnectionProvider pool) {
        boolean tls = protocols.isEmpty() || protocols.contains(HttpProtocol.H2);
        Http11SslContextSpec http1 = Http11SslContextSpec.forClient();
        Http2SslContextSpec http2 = Http2SslContextSpec.forClient();
        http1.configure(it -> it.trustManager(CERTIFICATES.authority.certificate()));
        http2.configure(it -> it.trustManager(CERTIFICATES.authority.certificate()));
        GenericSslContextSpec<SslContextBuilder> context = protocols.isEmpty() ? http1 : http2;
        HttpClient client = HttpClient.create(pool);
        HttpClient configured = protocols.isEmpty() ? client : client.protocol(protocols.toArray(new HttpProtocol[0]));
        return tls ? configured.secure(spec -> spec.sslContext(context)) : configured;
    }

    private static String text(HttpClient.ResponseReceiver<?> request, String user) {
        return Objects.requireNonNull(request.responseSingle((response, body) -> body.asString())
                .contextWrite(Context.of("user", user))
                .block(Await.BOUND));
    }

    @ParameterizedTest
    @MethodSource("protocols")
    void identityHostAndRedirectsAreTheSameOnAllProtocols(List<HttpProtocol> protocols) {
        ConnectionProvider pool = ConnectionProvider.builder("protocols")
                .maxConnections(2)
                .pendingAcquireMaxCount(-1)
                .build();
        try (EchoServer gateway = server(protocols);
                EchoServer other = server(protocols)) {
            TestPolicy policy = new TestPolicy(gateway.url());
            HttpClient plain = client(protocols, pool);
            HttpClient client = CaracalHttp.decorate(plain, policy);
            String url = TestPolicy.BOUND + "/p";
            assertThat(text(client.get().uri(url), "ann")).isEqualTo("GET /p 0 Bearer ann.1");
            assertThat(text(
                            client.headers(it -> it.set("Host", "evil.example"))
                                    .get()
                                    .uri(url),
                            "ann"))
                    .isEqualTo("GET /p 0 Bearer ann.2");
            assertThat(text(
                            client.post().uri(url).send((request, out) -> {
                                request.header("Authorization", "Basic mine");
                                return out.sendString(Flux.just("a", "b"));
                            }),
                            "bob"))
                    .isEqualTo("POST /p 2 Bearer bob.3");
            assertThat(gateway.arrivals)
                    .hasSize(3)
                    .allMatch(it -> it.all("host").equals(List.of("localhost:" + gateway.port()))
                            && it.all("X-Caracal-Resource").size() == 1
                            && it.all("traceparent").size() == 1);
            assertThat(text(plain.get().uri(gateway.url() + "/p"), "ann")).endsWith(" -");

            HttpClient following = client.followRedirect(true).headers(it -> it.set("x-to", other.url() + "/landed"));
            assertThat(text(following.get().uri(TestPolicy.BOUND + "/redirect"), "ann"))
                    .isEqualTo("GET /landed 0 -");
            CaracalHttpTest.assertNoIdentity(other.only());

            for (int i = 0; i < 10; i++) {
                assertThatThrownBy(() -> text(
                                client.post().uri(url).send((request, out) -> {
                                    request.header("X-Caracal-Resource", "resource://unknown");
                                    return out.sendString(Flux.just("a", "b"));
                                }),
                                "ann"))
                        .isInstanceOf(RoutingException.class);
            }
            gateway.quiet();
            Mono<String> stored = client.get().uri(url).responseSingle((response, body) -> body.asString());
            Mono<Long> mixed = Flux.range(0, 2000)
                    .flatMap(
                            i -> stored.map(it -> it.contains("Bearer user" + i % 2 + "."))
                                    .contextWrite(Context.of("user", "user" + i % 2)),
                            32)
                    .filter(own -> !own)
                    .count();
            StepVerifier.create(mixed).expectNext(0L).expectComplete().verify(Await.BOUND);
        }
        Await.done(pool.disposeLater());
    }
}
