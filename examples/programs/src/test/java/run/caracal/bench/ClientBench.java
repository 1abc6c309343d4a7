package run.caracal.bench;

import io.netty.buffer.ByteBuf;
import java.time.Duration;
import java.util.Objects;
import java.util.function.IntFunction;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.reactive.function.client.ClientRequest;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.http.client.HttpClient;
import reactor.netty.resources.ConnectionProvider;
import reactor.util.context.Context;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.netty.CaracalHttp;
import run.caracal.webflux.CaracalExchangeFilter;

/** Requests over keep-alive connections: decorated clients against plain ones. */
final class ClientBench {
    private static final int CONCURRENCY = 32;
    private static final int REQUESTS = Integer.getInteger("bench.requests", 20_000);
    private static final String PATH = "/v1/charge?amount=1200";

    private ClientBench() {}

    static void run(Report report, int rounds) {
        ConnectionProvider pool = ConnectionProvider.builder("bench")
                .maxConnections(CONCURRENCY)
                .pendingAcquireMaxCount(-1)
                .build();
        try (BenchServer server = BenchServer.start()) {
            Caracal caracal = server.client();
            CaracalContext session = openSession(caracal);
            Context context = InMemory.context(caracal, session);
            PlainHeaders headers = PlainHeaders.of(session);
            String target = server.address() + PATH;
            String bound = Canned.UPSTREAM + PATH;

            HttpClient bare = HttpClient.create(pool);
            // For each request, as its ids are fresh, and as cheaply as Reactor Netty can.
            HttpClient plain = bare.doOnRequest((request, connection) -> headers.forEach(request::header));
            HttpClient decorated = CaracalHttp.decorate(bare, caracal);
            WebClient bareWeb = web(bare).build();
            WebClient plainWeb = web(bare)
                    .filter((request, next) -> next.exchange(ClientRequest.from(request)
                            .headers(h -> headers.forEach(h::set))
                            .build()))
                    .build();
            WebClient filteredWeb =
                    web(bare).filter(CaracalExchangeFilter.create(caracal)).build();
            WebClient decoratedWeb = web(decorated).build();

            Rounds measured = new Rounds()
                    .variant("bare", () -> requests(context, i -> get(bare, target)))
                    .variant("plain", () -> requests(context, i -> get(plain, target)))
                    .variant("decorated", () -> requests(context, i -> get(decorated, bound)))
                    .variant("plain post", () -> requests(context, i -> post(plain, target)))
                    .variant("decorated post", () -> requests(context, i -> post(decorated, bound)))
                    .variant("bare web", () -> requests(context, i -> get(bareWeb, target)))
                    .variant("plain web", () -> requests(context, i -> get(plainWeb, target)))
                    .variant("filtered web", () -> requests(context, i -> get(filteredWeb, bound)))
                    .variant("decorated web", () -> requests(context, i -> get(decoratedWeb, bound)))
                    .run(3, rounds);

            budget(report, measured, "HttpClient, decorated", "decorated", "plain", 0.97, 1.12);
            budget(report, measured, "HttpClient, decorated, POST", "decorated post", "plain post", 0.97, 1.12);
            budget(report, measured, "WebClient, with filter", "filtered web", "plain web", 1.0, 1.0);
            budget(report, measured, "WebClient, on a decorated client", "decorated web", "plain web", 1.0, 1.0);
            report.figure(
                    "HttpClient, plain against bare, throughput",
                    measured.throughput("plain", "bare"),
                    absolute(measured, "plain", "bare"));
            report.figure(
                    "WebClient, plain against bare, throughput",
                    measured.throughput("plain web", "bare web"),
                    absolute(measured, "plain web", "bare web"));
            report.write();
            pool.disposeLater().block();
        }
    }

    private static void budget(
            Report report, Rounds measured, String what, String name, String base, double throughput, double bytes) {
        report.budget(
                what + ", throughput",
                measured.throughput(name, base),
                false,
                throughput,
                absolute(measured, name, base));
        report.budget(what + ", allocation", measured.allocation(name, base), true, bytes, "");
    }

    static String absolute(Rounds measured, String name, String base) {
        return text(measured, name) + " against " + text(measured, base);
    }

    private static String text(Rounds measured, String name) {
        return Stat.number(1e9 / measured.nanos(name).median()) + "/s, "
                + Stat.number(measured.bytes(name).median()) + " B";
    }

    /** A session on a socket, which stays open. */
    static CaracalContext openSession(Caracal caracal) {
        Sinks.One<CaracalContext> opened = Sinks.one();
        var unused = caracal.spawn(context -> {
                    opened.tryEmitValue(context).orThrow();
                    return Mono.never();
                })
                .subscribe(null, Failures::report);
        return Objects.requireNonNull(opened.asMono().block(Duration.ofSeconds(30)));
    }

    private static WebClient.Builder web(HttpClient client) {
        return WebClient.builder().clientConnector(new ReactorClientHttpConnector(client));
    }

    static long requests(Context context, IntFunction<Mono<?>> request) {
        var unused = Flux.range(0, REQUESTS)
                .flatMap(request::apply, CONCURRENCY)
                .contextWrite(context)
                .blockLast(Duration.ofMinutes(5));
        return REQUESTS;
    }

    private static Mono<Integer> get(HttpClient client, String url) {
        return client.get().uri(url).responseSingle((response, body) -> body.map(ByteBuf::readableBytes));
    }

    private static Mono<Integer> post(HttpClient client, String url) {
        return client.post()
                .uri(url)
                .send(reactor.netty.ByteBufFlux.fromString(Mono.just("{\"amount\": 1200}")))
                .responseSingle((response, body) -> body.map(ByteBuf::readableBytes));
    }

    private static Mono<byte[]> get(WebClient client, String url) {
        return client.get().uri(java.net.URI.create(url)).retrieve().bodyToMono(byte[].class);
    }
}
