package run.caracal.internal.outbound;

import java.time.Duration;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.http.HttpTransportProvider;
import run.caracal.internal.LogNames;
import run.caracal.internal.Supplied;
import run.caracal.internal.lifecycle.ClientState;

/**
 * The transport of what may take long, calls for users and the polls of approvals, so that nothing else waits for its
 * connections. Created on first use, and released by the client.
 */
public final class TrafficTransport implements HttpTransport {
    private static final Logger log = LoggerFactory.getLogger(LogNames.CLIENT);
    private static final Duration FOR_EVER = Duration.ofMillis(Long.MAX_VALUE);

    private final Mono<HttpTransport> made;
    private final boolean owned;
    private final ClientState state;
    private volatile boolean used;

    private TrafficTransport(Mono<HttpTransport> made, boolean owned, ClientState state) {
        this.made = made;
        this.owned = owned;
        this.state = state;
    }

    /**
     * One that is made when it is first used, and is the client's own.
     *
     * @param provider makes it, on a thread that may block
     * @param state whether the client is closed
     */
    public static TrafficTransport made(HttpTransportProvider provider, ClientState state) {
        // Creating it may block. Cached without errors, and not aborted by a cancelled subscriber.
        Mono<HttpTransport> made = Mono.defer(
                        () -> Mono.fromSupplier(provider::createForCalls).subscribeOn(Schedulers.boundedElastic()))
                .cache(transport -> FOR_EVER, failure -> Duration.ZERO, () -> Duration.ZERO);
        return new TrafficTransport(made, true, state);
    }

    /**
     * The one that the configuration gives, for the control plane too. It is not the client's to release.
     *
     * @param state whether the client is closed
     */
    public static TrafficTransport given(HttpTransport transport, ClientState state) {
        return new TrafficTransport(Mono.just(transport), false, state);
    }

    @Override
    public Mono<HttpResponse> exchange(HttpRequest request) {
        return get().flatMap(transport -> Supplied.given(transport.exchange(request), "The HttpTransport"));
    }

    Mono<HttpTransport> get() {
        return Mono.defer(() -> {
            // In this order, so that either this sees the close, or the release sees the new transport.
            used = true;
            state.requireOpen();
            return made;
        });
    }

    /** Releases the client's own transport, after the client was closed. */
    @Override
    public Mono<Void> disposeLater() {
        return Mono.defer(() -> owned && used ? made.flatMap(HttpTransport::disposeLater) : Mono.empty());
    }

    @Override
    public void dispose() {
        var unused = disposeLater().subscribe(null, e -> log.warn("Closing the transport of the client failed", e));
    }

    @Override
    public boolean isDisposed() {
        return state.isClosed();
    }
}
