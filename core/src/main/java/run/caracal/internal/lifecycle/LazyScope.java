package run.caracal.internal.lifecycle;

import java.time.Duration;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;

/** A {@link Scope} that is created on first use, because most sessions never need one. */
public final class LazyScope {
    private final Scope enclosing;
    private final Supplier<String> closedMessage;
    private volatile @Nullable Scope made;
    private boolean refuses; // under the lock of this

    /**
     * Prepares a scope.
     *
     * @param closedMessage what the error says when something is opened after the scope was closed
     */
    public LazyScope(Scope enclosing, Supplier<String> closedMessage) {
        this.enclosing = enclosing;
        this.closedMessage = closedMessage;
    }

    /** The scope; closed if this was closed before it was created. */
    public Scope get() {
        Scope known = made;
        return known == null ? make() : known;
    }

    /** {@return whether anything was ever opened in it} */
    public boolean isUsed() {
        return made != null;
    }

    private synchronized Scope make() {
        Scope known = made;
        if (known == null) {
            known = new Scope(enclosing, closedMessage.get());
            if (refuses) {
                known.refuse();
            }
            made = known;
        }
        return known;
    }

    /** Creates the scope closed from now on. */
    private synchronized @Nullable Scope closing() {
        refuses = true;
        return made;
    }

    /** As {@link Scope#close}. */
    public Mono<Void> close(Duration grace, Scheduler timer) {
        return Mono.defer(() -> {
            Scope known = closing();
            return known == null ? Mono.empty() : known.close(grace, timer);
        });
    }

    /** As {@link Scope#endAll}. */
    public Mono<Void> endAll(Duration limit, Scheduler timer) {
        return Mono.defer(() -> {
            Scope known = closing();
            return known == null ? Mono.empty() : known.endAll(limit, timer);
        });
    }
}
