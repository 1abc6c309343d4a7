package run.caracal.internal.outbound;

import java.time.Duration;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import run.caracal.http.HttpTransport;
import run.caracal.http.HttpTransportProvider;
import run.caracal.internal.lifecycle.ClientState;

/**
 * The transport of the calls that the SDK sends for its users, apart from that of the control plane, so that neither
 * waits for the other's connections. Made when it is first used.
 */
public final class TrafficTransport {
    private static final Duration FOR_EVER = Duration.ofMillis(Long.MAX_VALUE);

    private final Mono<HttpTransport> made;
    private final boolean owned;
    private final ClientState state;
    private volatile boolean used;

    /** Prepares the transport. */
    public TrafficTransport(HttpTransportProvider provider, boolean owned, ClientState state) {
        this.owned = owned;
        this.state = state;
        // Making one may block. Whoever leaves meanwhile, it is made to its end; a failure is not kept.
        this.made = Mono.defer(() -> Mono.fromSupplier(provider::create).subscribeOn(Schedulers.boundedElastic()))
                .cache(transport -> FOR_EVER, failure -> Duration.ZERO, () -> Duration.ZERO);
    }

    Mono<HttpTransport> get() {
        return Mono.defer(() -> {
            // In this order: either this sees that the client is closed, or the release sees what is made here.
            used = true;
            state.requireOpen();
            return made;
        });
    }

    /** Releases what was made, if it is ours. The client is closed by now. */
    public Mono<Void> release() {
        return Mono.defer(() -> owned && used ? made.flatMap(HttpTransport::disposeLater) : Mono.empty());
    }
}
