package run.caracal.internal.token;

import java.time.Duration;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.util.context.Context;
import run.caracal.internal.MachineSleep;

/**
 * Holds one token and fetches the next: single flight, early refresh behind the callers' backs, failures never
 * kept. One instance serves exactly one set of exchange inputs, so no key can be too narrow; the Reactor Context of a
 * caller never reaches an exchange, because its result is shared.
 */
public final class TokenCache implements Disposable {
    /** A token is refreshed this long before it expires, or at half of its lifetime, whichever is later. */
    private static final Duration REFRESH_AHEAD = Duration.ofSeconds(60);

    /** After a failed early refresh the next one waits this long. */
    private static final Duration REFRESH_GATE = Duration.ofSeconds(30);

    /**
     * The result of an exchange.
     *
     * @param lifetime how long it lives from now on; zero when unknown, and then it is not kept
     * @param targets the granted resources, or {@code null} when the STS did not name them
     */
    public record Exchanged(
            String value, Duration lifetime, @Nullable Set<String> targets) {
        @Override
        public String toString() {
            return "Exchanged[lifetime=" + lifetime + ", targets=" + targets + "]";
        }
    }

    /** Where tokens come from, and who hears how the cache did. */
    public interface Source {
        /** Fetches a token; subscribed once for each flight, never concurrently. */
        Mono<Exchanged> exchange(boolean early);

        /** A token was served from memory. */
        void served();

        /** An early exchange failed; the old token goes on being served. */
        void refreshFailed(Throwable error);
    }

    private final Source source;
    private final Scheduler timer;
    private final AtomicReference<@Nullable AccessToken> current = new AtomicReference<>();
    private final Disposable.Swap refresh = Disposables.swap();
    private final Mono<AccessToken> flight;
    private final Mono<AccessToken> get;
    private volatile long refreshNotBefore;

    /**
     * Creates an empty cache.
     *
     * @param timer gives the clocks: its nanoseconds are monotonic, its milliseconds tell of sleep
     */
    public TokenCache(Source source, Scheduler timer) {
        this.source = source;
        this.timer = timer;
        this.refreshNotBefore = now();
        Mono<AccessToken> fetch = Mono.defer(() -> {
            // A flight that was joined a moment too late finds what the one before it brought.
            AccessToken token = current.get();
            if (token != null && !token.isStale(now(token))) {
                return Mono.just(token);
            }
            long sent = now();
            long sleepMark = MachineSleep.mark(timer);
            return source.exchange(token != null && !token.isExpired(now(token)))
                    .map(e -> keep(e, sent, sleepMark));
        });
        // Not cache(): that keeps errors for ever. Nothing is kept here; whoever comes during a flight shares it,
        // a waiter that leaves does not end it for the others, and the last one does. An error is a value meanwhile:
        // behind the last waiter it would be dropped, and logged. Signals keep a Context, so it is no caller's.
        this.flight = fetch.materialize()
                .contextWrite(anyCaller -> Context.empty())
                .cacheInvalidateIf(signal -> true)
                .<AccessToken>dematerialize();
        this.get = Mono.defer(() -> {
            AccessToken token = peek();
            return token != null ? Mono.just(token) : flight;
        });
    }

    /**
     * The token: the current one while it is valid, else the one that an exchange brings.
     *
     * @return a valid token; what the exchange met otherwise
     */
    public Mono<AccessToken> get() {
        return get;
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

    /** Drops a token that a service refused with 401. Another token, fetched since, stays. */
    public void reject(AccessToken refused) {
        current.compareAndSet(refused, null);
    }

    /** Stops an early refresh that is under way. */
    @Override
    public void dispose() {
        refresh.dispose();
    }

    @Override
    public boolean isDisposed() {
        return refresh.isDisposed();
    }

    private void refreshBehind() {
        // Also keeps callers of the next moments from subscribing to the flight for nothing.
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
        // Before the waiters hear of it: whoever asks after them finds it.
        current.set(token);
        return token;
    }

    /** The time by which a token is judged: the machine may have slept since it was asked for. */
    private long now(AccessToken token) {
        return now() + MachineSleep.since(token.sleepMark(), timer);
    }

    private long now() {
        return timer.now(TimeUnit.NANOSECONDS);
    }
}
