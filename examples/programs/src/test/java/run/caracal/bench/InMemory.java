package run.caracal.bench;

import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ResourceBinding;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;

/** A transport without a network: the canned platform answers at once, or after a delay. */
final class InMemory implements HttpTransport {
    final Canned canned;
    private final Duration tokenDelay;
    private volatile boolean disposed;

    InMemory(int leaseSeconds, Duration tokenDelay) {
        this.canned = new Canned(leaseSeconds);
        this.tokenDelay = tokenDelay;
    }

    /** A client of this platform. */
    Caracal client(List<ResourceBinding> bindings) {
        CaracalConfig.Builder config = config();
        for (ResourceBinding binding : bindings) {
            config = config.resource(binding.resource(), binding.upstreamPrefix());
        }
        return Caracal.create(config.build());
    }

    /** A client of this platform that holds a bounded number of sessions open. */
    Caracal client(int maxOpenSessions) {
        return Caracal.create(config().resource(Canned.RESOURCE, Canned.UPSTREAM)
                .maxOpenSessions(maxOpenSessions)
                .build());
    }

    private CaracalConfig.Builder config() {
        return CaracalConfig.builder()
                .zoneId("zone-1")
                .applicationId("app-1")
                .clientSecret("the-client-secret")
                .stsUrl("https://sts.example.com")
                .coordinatorUrl("https://coordinator.example.com")
                .gatewayUrl("https://gateway.example.com")
                .transport(this);
    }

    Caracal client() {
        return client(List.of(new ResourceBinding(Canned.RESOURCE, Canned.UPSTREAM)));
    }

    /** The context of a session that stays open for as long as the client is. */
    static CaracalContext openSession(Caracal caracal) {
        AtomicReference<@Nullable CaracalContext> opened = new AtomicReference<>();
        var unused = caracal.spawn(context -> {
                    opened.set(context);
                    return Mono.never();
                })
                .subscribe(null, Failures::report);
        return Objects.requireNonNull(opened.get(), "the session was not opened at once");
    }

    /** A Reactor Context in which a context is bound. */
    static Context context(Caracal caracal, CaracalContext bound) {
        return Context.of(Objects.requireNonNull(
                caracal.bind(bound, Mono.deferContextual(Mono::just)).block()));
    }

    @Override
    public Mono<HttpResponse> exchange(HttpRequest request) {
        return Mono.defer(() -> {
            String path = request.uri().getPath();
            byte[] body = request.body();
            HttpResponse answer = new HttpResponse(
                    Canned.status(request.method(), path), Map.of(), canned.answer(request.method(), path, body));
            return path.endsWith("/oauth/2/token") && !tokenDelay.isZero()
                    ? Mono.delay(tokenDelay).thenReturn(answer)
                    : Mono.just(answer);
        });
    }

    @Override
    public Mono<Void> disposeLater() {
        return Mono.fromRunnable(this::dispose);
    }

    @Override
    public void dispose() {
        disposed = true;
    }

    @Override
    public boolean isDisposed() {
        return disposed;
    }
}
