package run.caracal.internal.session;

import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Mono;
import run.caracal.internal.context.Session;
import run.caracal.internal.lease.LeaseKeeper;

/** A service session that this client keeps alive, and its lease. */
public final class Service {
    private final Session session;
    private final LeaseKeeper lease;

    /** The service whose authority it narrows, when the SDK opened that for it. */
    final @Nullable Service holder;

    /** Whether it is such a holder itself, for which no hooks run. */
    final boolean isHolder;

    /** Renews its delegation and watches its holder. */
    final Disposable.Composite upkeep = Disposables.composite();

    private final ServiceRunner runner;
    private @Nullable Mono<Void> ending;

    Service(ServiceRunner runner, Session session, LeaseKeeper lease, @Nullable Service holder, boolean isHolder) {
        this.runner = runner;
        this.session = session;
        this.lease = lease;
        this.holder = holder;
        this.isHolder = isHolder;
    }

    public Session session() {
        return session;
    }

    public LeaseKeeper lease() {
        return lease;
    }

    /** Its single end, created by the first caller. */
    synchronized Mono<Void> end() {
        Mono<Void> known = ending;
        if (known == null) {
            known = Mono.defer(() -> runner.end(this)).cache();
            ending = known;
        }
        return known;
    }
}
