package run.caracal.bench;

import io.netty.buffer.ByteBuf;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.CountDownLatch;
import java.util.function.Supplier;
import org.springframework.http.client.reactive.ReactorClientHttpConnector;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.Disposable;
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
    static final String PATH = "/v1/charge?amount=1200";

    private ClientBench() {}

    static void run(Report report, int rounds) {
        ConnectionProvider pool = BareCalls.pool(CONCURRENCY);
        try (BenchServer server = BenchServer.start()) {
            Caracal caracal = BenchServer.client(server.address());
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
            WebClient plainWeb = web(plain).build();
            WebClient filteredWeb =
                    web(bare).filter(CaracalExchangeFilter.create(caracal)).build();
            WebClient decoratedWeb = web(decorated).build();

            Rounds measured = new Rounds()
                    .connections(server::connections)
                    .variant("bare", () -> requests(context, () -> get(bare, target)))
                    .variant("plain", () -> requests(context, () -> get(plain, target)))
                    .variant("decorated", () -> requests(context, () -> get(decorated, bound)))
                    .variant("plain post", () -> requests(context, () -> post(plain, target)))
                    .variant("decorated post", () -> requests(context, () -> post(decorated, bound)))
                    .variant("bare web", () -> requests(context, () -> get(bareWeb, target)))
                    .variant("plain web", () -> requests(context, () -> get(plainWeb, target)))
                    .variant("filtered web", () -> requests(context, () -> get(filteredWeb, bound)))
                    .variant("decorated web", () -> requests(context, () -> get(decoratedWeb, bound)))
                    .run(3, rounds);

            budget(report, measured, "HttpClient, decorated", "decorated", "plain", 0.97, 1.12);
            budget(report, measured, "HttpClient, decorated, POST", "decorated post", "plain post", 0.97, 1.12);
            budget(report, measured, "WebClient, with filter", "filtered web", "plain web", 0.97, 1.10);
            budget(report, measured, "WebClient, on a decorated client", "decorated web", "plain web", 0.97, 1.10);
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
            Report report, Rounds measured, String what, String name, String base, double throughput, double most) {
        report.budget(
                what + ", throughput",
                measured.throughput(name, base),
                false,
                throughput,
                absolute(measured, name, base));
        report.budget(what + ", CPU", measured.cpu(name, base), true, most, Report.micros(measured, name, base));
        report.budget(what + ", allocation", measured.allocation(name, base), true, most, "");
    }

    static String absolute(Rounds measured, String name, String base) {
        return text(measured, name) + " against " + text(measured, base);
    }

    private static String text(Rounds measured, String name) {
        return Stat.number(1e9 / measured.nanos(name).median()) + "/s, "
                + Stat.number(measured.bytes(name).median()) + " B";
    }

    /** Sessions on sockets, which stay open until they are disposed. */
    static Disposable openSessions(Caracal caracal, int count) {
        Sinks.Empty<Void> over = Sinks.empty();
        CountDownLatch opened = new CountDownLatch(count);
        Disposable open = Flux.range(0, count)
                .flatMap(
                        i -> caracal.spawn(context -> {
                            opened.countDown();
                            return over.asMono();
                        }),
                        count)
                .subscribe(none -> {}, Failures::report);
        try {
            opened.await();
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
        return () -> {
            over.tryEmitEmpty().orThrow();
            open.dispose();
        };
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

    static WebClient.Builder web(HttpClient client) {
        return WebClient.builder().clientConnector(new ReactorClientHttpConnector(client));
    }

    static Rounds.Cost requests(Context context, Supplier<Mono<?>> request) {
        return Lanes.run(CONCURRENCY, REQUESTS, context, request);
    }

    static Mono<Integer> get(HttpClient client, String url) {
        return client.get().uri(url).responseSingle((response, body) -> body.map(ByteBuf::readableBytes));
    }

    private static Mono<Integer> post(HttpClient client, String url) {
        return client.post()
                .uri(url)
                .send(reactor.netty.ByteBufFlux.fromString(Mono.just("{\"amount\": 1200}")))
                .responseSingle((response, body) -> body.map(ByteBuf::readableBytes));
    }

    static Mono<byte[]> get(WebClient client, String url) {
        return client.get().uri(java.net.URI.create(url)).retrieve().bodyToMono(byte[].class);
    }
}
