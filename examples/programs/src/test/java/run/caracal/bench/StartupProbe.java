package run.caracal.bench;

import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicLong;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;
import run.caracal.GatewayRequest;
import run.caracal.netty.CaracalHttp;

/** The quick start as a program of its own, which prints the time of each step. */
public final class StartupProbe {
    private StartupProbe() {}

    /**
     * Runs the quick start once, or the same calls by hand.
     *
     * @param args {@code caracal} or {@code plain}, and the address of the platform
     */
    public static void main(String[] args) {
        long main = System.nanoTime();
        StringBuilder times = new StringBuilder().append(System.currentTimeMillis());
        if (args[0].equals("plain")) {
            plain(args[1], main, times);
        } else {
            caracal(args[1], main, times);
        }
        System.out.println(times);
        System.exit(0);
    }

    private static void caracal(String address, long main, StringBuilder times) {
        Caracal caracal = BenchServer.client(address);
        mark(times, main);
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        GatewayRequest request = caracal.gatewayRequest(Canned.RESOURCE, "/charge");
        mark(times, main);
        AtomicLong opened = new AtomicLong();
        AtomicLong answered = new AtomicLong();
        String answer = caracal.spawn(session -> {
                    opened.set(System.nanoTime());
                    return http.headers(headers -> request.headers().forEach(headers::set))
                            .post()
                            .uri(request.url())
                            .send(ByteBufFlux.fromString(Mono.just("{\"amount\": 1200}")))
                            .responseSingle((response, body) -> body.asString())
                            .doOnNext(text -> answered.set(System.nanoTime()));
                })
                .block(Duration.ofSeconds(30));
        Objects.requireNonNull(answer);
        times.append(' ').append(opened.get() - main).append(' ').append(answered.get() - main);
        mark(times, main);
    }

    private static void plain(String address, long main, StringBuilder times) {
        mark(times, main);
        HttpClient http =
                HttpClient.create().headers(headers -> headers.set("Authorization", "Bearer " + Canned.TOKEN));
        mark(times, main);
        call(http, address + "/oauth/2/token");
        call(http, address + "/zones/zone-1/agents");
        mark(times, main);
        call(http, address + "/charge");
        mark(times, main);
        var unused = http.delete()
                .uri(address + "/zones/zone-1/agents/x")
                .responseSingle((response, body) -> body.then(Mono.just(1)))
                .block(Duration.ofSeconds(30));
        mark(times, main);
    }

    private static void call(HttpClient http, String url) {
        String answer = http.post()
                .uri(url)
                .send(ByteBufFlux.fromString(Mono.just("{\"amount\": 1200}")))
                .responseSingle((response, body) -> body.asString())
                .block(Duration.ofSeconds(30));
        Objects.requireNonNull(answer);
    }

    private static void mark(StringBuilder times, long main) {
        times.append(' ').append(System.nanoTime() - main);
    }
}
