package run.caracal.verify;

import java.net.URI;
import java.security.Provider;
import java.time.Duration;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.internal.Headers;
import run.caracal.internal.LogGate;
import run.caracal.internal.Supplied;
import run.caracal.internal.UserAgent;
import run.caracal.internal.json.Json;
import run.caracal.internal.json.JsonException;

/**
 * The cached keys of a zone. Concurrent callers share a fetch; keys are refreshed in the background, and errors are not
 * cached. A fetch belongs to this object: a caller that cancels neither aborts it nor delays the next one.
 */
final class Jwks implements Disposable {
    /** The age at which keys are refreshed, which is the STS's own max-age. */
    static final Duration FRESH = Duration.ofMinutes(5);

    /** The age at which keys expire, even if a refresh fails. */
    static final Duration MAX_AGE = Duration.ofMinutes(10);

    /** The minimum time between fetches while there are keys, so that forged key ids do not cause a fetch each. */
    static final Duration COOLDOWN = Duration.ofSeconds(30);

    /** The timeout of a fetch. */
    static final Duration FETCH_TIMEOUT = Duration.ofSeconds(5);

    /** The maximum size of a key set. */
    static final int MAX_BYTES = 256 * 1024;

    /** The maximum number of keys in a set; a zone has two at most. */
    static final int MAX_KEYS = 64;

    private static final Logger log = LoggerFactory.getLogger(Jwks.class);

    private final URI uri;
    private final HttpTransport transport;
    private final @Nullable Provider provider;
    private final Scheduler timer;
    private final LogGate failures = new LogGate();
    private final Sinks.Empty<Void> end = Sinks.empty();
    private final AtomicReference<Sinks.@Nullable One<Keys>> flight = new AtomicReference<>();
    private volatile @Nullable Keys current;
    private volatile @Nullable Attempt last;
    private volatile boolean disposed;

    /** Compared by identity. */
    private static final class Keys {
        private final Map<String, Es256> byId;
        private final long fetchedAt;

        Keys(Map<String, Es256> byId, long fetchedAt) {
            this.byId = byId;
            this.fetchedAt = fetchedAt;
        }
    }

    private record Attempt(long endedAt, @Nullable Throwable error) {}

    Jwks(URI uri, HttpTransport transport, @Nullable Provider provider, Scheduler timer) {
        this.uri = uri;
        this.transport = transport;
        this.provider = provider;
        this.timer = timer;
    }

    /**
     * {@return the key of an id, immediately if cached; empty if the zone has no such key; the error of the fetch if
     * unknown}
     */
    Mono<Es256> key(String kid) {
        return Mono.defer(() -> {
            long now = now();
            // In this order, so that the keys of a fetch that ends meanwhile are seen.
            Sinks.One<Keys> running = flight.get();
            Attempt attempt = last;
            Keys keys = current;
            if (keys == null || now - keys.fetchedAt >= MAX_AGE.toNanos()) {
                return find(kid, fetch(keys));
            }
            boolean rested = attempt == null || now - attempt.endedAt() >= COOLDOWN.toNanos();
            if (rested && now - keys.fetchedAt >= FRESH.toNanos()) {
                Mono<Keys> renewed = fetch(keys);
                return keys.byId.containsKey(kid) ? find(kid, Mono.just(keys)) : find(kid, renewed);
            }
            if (keys.byId.containsKey(kid)) {
                return find(kid, Mono.just(keys));
            }
            if (running != null) {
                return find(kid, shared(running));
            }
            if (rested) {
                return find(kid, fetch(keys));
            }
            Throwable error = attempt == null ? null : attempt.error();
            return error == null ? Mono.empty() : Mono.error(error);
        });
    }

    /** Completes when there are keys, which are fetched unless cached; or signals the error of the fetch. */
    Mono<Void> warm() {
        return Mono.defer(() -> {
            Keys keys = current;
            return keys != null && now() - keys.fetchedAt < MAX_AGE.toNanos()
                    ? Mono.<Void>empty()
                    : fetch(keys).then();
        });
    }

    private static Mono<Es256> find(String kid, Mono<Keys> keys) {
        return keys.mapNotNull(found -> found.byId.get(kid));
    }

    /** Joins the fetch in flight, or starts one, unless the keys have changed since the caller saw them. */
    private Mono<Keys> fetch(@Nullable Keys seen) {
        Sinks.One<Keys> mine = Sinks.one();
        Sinks.One<Keys> other = flight.compareAndExchange(null, mine);
        if (other != null) {
            return shared(other);
        }
        Keys newer = current;
        if (newer != null && newer != seen) {
            // A fetch has ended since the caller looked.
            flight.set(null);
            var unused = mine.tryEmitValue(newer);
            return Mono.just(newer);
        }
        // Owned by this object: ends with its timeout or with dispose().
        var unused = load().subscribe(keys -> landed(mine, keys), error -> failed(mine, error));
        return shared(mine);
    }

    private void landed(Sinks.One<Keys> waiters, Keys keys) {
        current = keys;
        last = new Attempt(now(), null);
        flight.set(null);
        var unused = waiters.tryEmitValue(keys);
    }

    private void failed(Sinks.One<Keys> waiters, Throwable error) {
        failures.warn(log, "The keys of the zone cannot be fetched from {}: {}", uri, error.getMessage());
        last = new Attempt(now(), error);
        flight.set(null);
        var unused = waiters.tryEmitError(error);
    }

    /** Moves the waiters off the transport's thread, because each has a signature to verify. */
    private Mono<Keys> shared(Sinks.One<Keys> sink) {
        return sink.asMono().publishOn(timer);
    }

    private Mono<Keys> load() {
        return Mono.defer(() -> {
                    long sent = now();
                    HttpRequest request = new HttpRequest(
                            "GET",
                            uri,
                            Map.of(Headers.ACCEPT, Headers.JSON, UserAgent.HEADER, UserAgent.VALUE),
                            null,
                            FETCH_TIMEOUT,
                            MAX_BYTES);
                    return Supplied.given(transport.exchange(request), "The HttpTransport")
                            .map(answer -> new Keys(read(request, answer), sent));
                })
                // As a value, because an error after the timeout or the close would be dropped and logged.
                .materialize()
                .timeout(FETCH_TIMEOUT, timer)
                .takeUntilOther(end.asMono())
                .<Keys>dematerialize()
                .switchIfEmpty(Mono.error(() -> new IllegalStateException("the verifier is closed, or got no answer")));
    }

    private Map<String, Es256> read(HttpRequest request, HttpResponse answer) {
        if (answer.status() != 200) {
            throw unusable(request, answer, "that is not the keys of a zone (a zone has none before its first token)");
        }
        if (answer.body().length > MAX_BYTES) {
            throw unusable(request, answer, "the body is larger than " + MAX_BYTES + " bytes");
        }
        Object set;
        try {
            set = Json.readStrictly(answer.body());
        } catch (JsonException e) {
            throw unusable(request, answer, "the body cannot be used: " + e.getMessage());
        }
        if (!(set instanceof Map<?, ?> fields) || !(fields.get("keys") instanceof List<?> list)) {
            throw unusable(request, answer, "the body is not a set of keys");
        }
        if (list.size() > MAX_KEYS) {
            throw unusable(request, answer, "the set has more than " + MAX_KEYS + " keys");
        }
        Map<String, Es256> keys = new HashMap<>();
        for (Object item : list) {
            if (item instanceof Map<?, ?> jwk && isEs256(jwk) && jwk.get("kid") instanceof String kid) {
                Es256 key = jwk.get("x") instanceof String x && jwk.get("y") instanceof String y
                        ? Es256.of(x, y, provider)
                        : null;
                if (key != null && keys.putIfAbsent(kid, key) != null) {
                    throw unusable(request, answer, "the set has two keys of one id");
                }
            }
        }
        if (keys.isEmpty()) {
            throw unusable(request, answer, "the set has no key of ES256");
        }
        return Map.copyOf(keys);
    }

    private static ProtocolException unusable(HttpRequest request, HttpResponse answer, String problem) {
        return new ProtocolException(
                "STS",
                "GET " + request.uri().getRawPath(),
                answer.status(),
                answer.header(Headers.REQUEST_ID).orElse(null),
                problem);
    }

    /** The attributes of the platform's keys; other keys of the set are ignored. */
    private static boolean isEs256(Map<?, ?> jwk) {
        return "EC".equals(jwk.get("kty"))
                && "P-256".equals(jwk.get("crv"))
                && (!jwk.containsKey("alg") || "ES256".equals(jwk.get("alg")))
                && (!jwk.containsKey("use") || "sig".equals(jwk.get("use")));
    }

    private long now() {
        return timer.now(TimeUnit.NANOSECONDS);
    }

    /** Cancels a fetch in flight, whose waiters get an error; nothing is fetched afterwards. */
    @Override
    public void dispose() {
        disposed = true;
        var unused = end.tryEmitEmpty();
    }

    @Override
    public boolean isDisposed() {
        return disposed;
    }
}
