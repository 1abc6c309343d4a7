package run.caracal.internal.token;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.util.context.Context;
import run.caracal.internal.MachineSleep;

/**
 * Caches one token and refreshes it early in the background. Concurrent callers share the exchange; failures are not
 * cached. One instance serves exactly one set of exchange inputs, and no caller's Reactor Context reaches an exchange,
 * because its result is shared.
 */
public final class TokenCache implements Disposable {
    /** A token is refreshed this long before it expires, or at half of its lifetime, whichever is later. */
    private static final Duration REFRESH_AHEAD = Duration.ofSeconds(60);

    /** The minimum time between failed early refreshes. */
    private static final Duration REFRESH_GATE = Duration.ofSeconds(30);

    /**
     * The result of an exchange.
     *
     * @param lifetime how long it lives from now on; zero if unknown, then it is not cached
     * @param targets the granted resources, or {@code null} when the STS did not name them
     */
    public record Exchanged(
            String value, Duration lifetime, @Nullable Set<String> targets) {
        @Override
        public String toString() {
            return "Exchanged[lifetime=" + lifetime + ", targets=" + targets + "]";
        }
    }

    /** The source of tokens, and the listener of cache outcomes. */
    public interface Source {
        /** Fetches a token; subscribed once per exchange, never concurrently. */
        Mono<Exchanged> exchange(boolean early);

        /** A token was served from the cache. */
        void served();

        /** An early exchange failed; the old token is still served. */
        void refreshFailed(Throwable error);
    }

    private final Source source;
    private final Scheduler timer;
    private final AtomicReference<@Nullable AccessToken> current = new AtomicReference<>();
    private final Disposable.Swap refresh = Disposables.swap();
    private final Mono<AccessToken> flight;
    private final Mono<AccessToken> get;
    private final Mono<AccessToken> getForCaller;
    private volatile long refreshNotBefore;

    /**
     * Creates an empty cache.
     *
     * @param timer gives the clocks: its nanoseconds are monotonic, its milliseconds tell of sleep
     * @param callers where the code of a caller goes on that has waited for an exchange
     */
    public TokenCache(Source source, Scheduler timer, Supplier<Scheduler> callers) {
        this.source = source;
        this.timer = timer;
        this.refreshNotBefore = now();
        Mono<AccessToken> fetch = Mono.defer(() -> {
            // A caller that joins late finds the token of the exchange that has just ended.
            AccessToken token = current.get();
            if (token != null && !token.isStale(now(token))) {
                return Mono.just(token);
            }
            long sent = now();
            long sleepMark = MachineSleep.mark(timer);
            return source.exchange(token != null && !token.isExpired(now(token)))
                    .map(e -> keep(e, sent, sleepMark));
        });
        // Not cache(), which would keep errors forever. Concurrent callers share the exchange, and the last one that
        // cancels aborts it. Its error is materialized, because after the last waiter has left it would be dropped and
        // logged. Cleared of Context, because cached signals keep one.
        this.flight = fetch.materialize()
                .contextWrite(anyCaller -> Context.empty())
                .cacheInvalidateIf(signal -> true)
                .<AccessToken>dematerialize();
        this.get = Mono.defer(() -> {
            AccessToken token = peek();
            return token != null ? Mono.just(token) : flight;
        });
        this.getForCaller = Mono.defer(() -> {
            AccessToken token = peek();
            return token != null ? Mono.just(token) : flight.publishOn(callers.get());
        });
    }

    /**
     * The token: the current one while it is valid, else the one of an exchange.
     *
     * @return a valid token, or the error of the exchange, signalled where that is answered; no code of users may run there
     */
    public Mono<AccessToken> get() {
        return get;
    }

    /** As {@link #get()}, for a caller: signalled where its code goes on. */
    public Mono<AccessToken> getForCaller() {
        return getForCaller;
    }

    /**
     * {@return the current token, if it is valid; starts an early refresh when it is due; the token, or {@code null}
     * when {@link #get()} has to fetch one}
     */
    public @Nullable AccessToken peek() {
        AccessToken token = current.get();
        if (token == null) {
            return null;
        }
        long now = now(token);
        if (token.isExpired(now)) {
            return null;
        }
        if (token.isStale(now) && now() - refreshNotBefore >= 0) {
            refreshBehind();
        }
        source.served();
        return token;
    }

    /** Drops a token that a service rejected with 401, unless another one was fetched since. */
    public void reject(AccessToken refused) {
        current.compareAndSet(refused, null);
    }

    /** Cancels an early refresh in flight. */
    @Override
    public void dispose() {
        refresh.dispose();
    }

    @Override
    public boolean isDisposed() {
        return refresh.isDisposed();
    }

    private void refreshBehind() {
        // Also spares the next callers from joining the exchange in vain.
        refreshNotBefore = now() + REFRESH_GATE.toNanos();
        if (!refresh.isDisposed()) {
            refresh.update(flight.subscribe(fetched -> {}, source::refreshFailed));
        }
    }

    private AccessToken keep(Exchanged exchanged, long sentNanos, long sleepMark) {
        long lifetime = exchanged.lifetime().toNanos();
        long ahead = Math.min(REFRESH_AHEAD.toNanos(), lifetime / 2);
        AccessToken token = new AccessToken(
                exchanged.value(), exchanged.targets(), sentNanos + lifetime - ahead, sentNanos + lifetime, sleepMark);
        // Before the waiters are signalled, so that their next call finds the token.
        current.set(token);
        return token;
    }

    /** The time that token ages are measured by: the machine may have slept since the token was requested. */
    private long now(AccessToken token) {
        return now() + MachineSleep.since(token.sleepMark(), timer);
    }

    private long now() {
        return timer.now(TimeUnit.NANOSECONDS);
    }
}
