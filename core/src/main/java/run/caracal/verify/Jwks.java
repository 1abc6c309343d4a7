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
 * The keys of a zone: fetched once for all who wait, renewed behind the callers' backs, errors never kept. A fetch belongs
 * to this object and to no caller: whoever sends a token and leaves neither ends it nor keeps others from the next.
 */
final class Jwks implements Disposable {
    /** Keys of this age are fetched anew; it is the age that the STS gives them. */
    static final Duration FRESH = Duration.ofMinutes(5);

    /** Keys of this age are not used any more, also when no others can be had. */
    static final Duration MAX_AGE = Duration.ofMinutes(10);

    /** After a fetch the next one waits this long, while there are keys: forged key ids cannot cause one each. */
    static final Duration COOLDOWN = Duration.ofSeconds(30);

    /** How long a fetch may take. */
    static final Duration FETCH_TIMEOUT = Duration.ofSeconds(5);

    /** How large a set may be. */
    static final int MAX_BYTES = 256 * 1024;

    /** How many keys a set may have; a zone has two at most. */
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
     * {@return the key of an id; at once when it is at hand; empty when the zone has none of that id; what the fetch
     * met when that cannot be told}
     */
    Mono<Es256> key(String kid) {
        return Mono.defer(() -> {
            long now = now();
            // In this order: a fetch that ends meanwhile is seen in what is read after it.
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

    /** Completes when there are keys, which are fetched unless they are at hand; else what the fetch met. */
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

    /** Joins the fetch that is under way, or starts one; the caller saw these keys, or none. */
    private Mono<Keys> fetch(@Nullable Keys seen) {
        Sinks.One<Keys> mine = Sinks.one();
        Sinks.One<Keys> other = flight.compareAndExchange(null, mine);
        if (other != null) {
            return shared(other);
        }
        Keys newer = current;
        if (newer != null && newer != seen) {
            // One ended since the caller looked; somebody may have joined this one meanwhile.
            flight.set(null);
            var unused = mine.tryEmitValue(newer);
            return Mono.just(newer);
        }
        // Owned by this object: it ends after its timeout at the latest, or with dispose().
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

    /** The waiters go on side by side, away from the transport's thread: each has a signature to check. */
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
                // An error that comes behind the timeout or the close would be dropped, and logged; a value is not.
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

    /** Ends a fetch that is under way; who waits for it gets an error. Nothing is fetched any more. */
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
