package run.caracal.bench;

import java.net.URI;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.util.context.Context;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundPolicy;
import run.caracal.internal.routing.Route;
import run.caracal.internal.routing.Router;
import run.caracal.internal.token.AccessToken;
import run.caracal.internal.token.TokenCache;

/** The steps of one request, each against the least that could do it. */
@State(Scope.Benchmark)
public class PathBenchmark {
    static final String URL = Canned.UPSTREAM + "/v1/charge?amount=1200";

    private final Caracal caracal = new InMemory(90, Duration.ZERO).client();
    private final CaracalContext session = InMemory.openSession(caracal);
    private final PlainHeaders plain = PlainHeaders.of(session);
    private final Context context = InMemory.context(caracal, session);
    private final OutboundPolicy policy = caracal.outbound();
    private final Router router;
    private final TokenCache tokens;
    private final AtomicReference<@Nullable String> token = new AtomicReference<>(Canned.TOKEN);

    public PathBenchmark() {
        List<Router.Binding> bindings = new ArrayList<>();
        bindings.add(new Router.Binding(Canned.RESOURCE, Canned.UPSTREAM));
        for (int i = 0; i < 99; i++) {
            bindings.add(new Router.Binding("resource://other-" + i, "https://other-" + i + ".example.com/v1"));
        }
        router = new Router("https://gateway.example.com", bindings);
        tokens = new TokenCache(
                new TokenCache.Source() {
                    @Override
                    public Mono<TokenCache.Exchanged> exchange(boolean early) {
                        return Mono.just(new TokenCache.Exchanged(Canned.TOKEN, Duration.ofHours(1), null));
                    }

                    @Override
                    public void served() {}

                    @Override
                    public void refreshFailed(Throwable error) {}
                },
                Schedulers.parallel(),
                Schedulers::immediate);
        Objects.requireNonNull(tokens.get().block());
    }

    @Benchmark
    public @Nullable CaracalContext contextCaracal() {
        return caracal.current().contextWrite(context).block();
    }

    /** The same through Reactor alone. */
    @Benchmark
    public @Nullable CaracalContext contextFloor() {
        return Mono.deferContextual(view -> Mono.justOrEmpty(CaracalContext.from(view)))
                .contextWrite(context)
                .block();
    }

    @Benchmark
    public @Nullable Map<String, String> headersCaracal() {
        return caracal.headers().contextWrite(context).block();
    }

    /** The same map of constants. */
    @Benchmark
    public @Nullable Map<String, String> headersFloor() {
        return Mono.deferContextual(view -> {
                    Map<String, String> headers = new HashMap<>();
                    headers.put("Authorization", "Bearer " + Canned.TOKEN);
                    headers.put("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
                    headers.put("baggage", "caracal.agent_session=01a1ffea-5c1b-7b62-8c02-6a1de7c2a4ce,caracal.hop=0");
                    return Mono.just(headers);
                })
                .contextWrite(context)
                .block();
    }

    @Benchmark
    public Route routingCaracal() {
        return router.route(URL, null);
    }

    /** Parsing the address with the JDK and joining it with another base. */
    @Benchmark
    public String routingFloor() {
        URI uri = URI.create(URL);
        return "https://gateway.example.com" + uri.getRawPath() + '?' + uri.getRawQuery();
    }

    @Benchmark
    public @Nullable AccessToken tokenCaracal() {
        return tokens.get().block();
    }

    @Benchmark
    public @Nullable String tokenFloor() {
        return Mono.defer(() -> Mono.justOrEmpty(token.get())).block();
    }

    /** The whole work of a decorated client for a request. */
    @Benchmark
    public @Nullable Carrier requestCaracal() {
        OutboundDecision call = policy.resolve(URL, null, context).block();
        Carrier sent = new Carrier();
        Objects.requireNonNull(call).edit(sent);
        return sent;
    }

    /** A plain client that sets the same headers. */
    @Benchmark
    public @Nullable Carrier requestFloor() {
        return Mono.fromSupplier(() -> {
                    Carrier sent = new Carrier();
                    plain.forEach(sent::set);
                    return sent;
                })
                .block();
    }
}
