package run.caracal.redis;

import io.lettuce.core.StreamMessage;
import io.lettuce.core.cluster.api.reactive.RedisClusterReactiveCommands;
import java.time.Duration;
import java.time.Instant;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Signal;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.util.retry.Retry;
import run.caracal.MandateOptions;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;
import run.caracal.error.InboundException;
import run.caracal.redis.RevocationStream.Change;
import run.caracal.redis.RevocationStream.Raised;
import run.caracal.redis.RevocationStream.Revoked;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.RevocationStore;

/**
 * Reads the platform's two streams of revocations and tells a store of them.
 *
 * <pre>{@code
 * RedisRevocationStore shared = RedisRevocationStore.create(connection.reactive());
 * RevocationConsumer consumer = RevocationConsumer.sharing(shared, "billing-1")
 *         .hmacKey(System.getenv("STREAMS_HMAC_KEY"))
 *         .start();
 * RevocationStore revocations = consumer.guard(RevocationStore.cached(shared));
 * }</pre>
 *
 * <p>With {@link #sharing} the instances of a resource server are one consumer group, and write the keys that all of them look
 * up; an entry is acknowledged when its keys are written, and taken over by another instance when the one that was given it
 * does not do so within 30 seconds. With {@link #feeding} a single process reads the streams for its own memory, writes
 * nothing to Redis, and catches up with what matters when it starts.
 *
 * <p>An entry that is not signed with the key, or cannot be read, is copied to {@code <stream>.dead} and acknowledged. One that
 * cannot be written stays, and is tried again until it can be. After any failure, reading begins anew after a pause that
 * grows to five seconds, the groups being made again where they are gone; one line of the log tells that it fails, and one
 * that it goes on.
 *
 * <p>The streams are polled, so the connection may serve other work too; it belongs to the application, which closes it after
 * the consumer. Nothing here blocks. Safe for use by many threads.
 */
public final class RevocationConsumer implements Disposable {
    /** How long a resource server may know nothing new before it refuses, as long as the platform's Gateway. */
    public static final Duration DEFAULT_BLIND_LIMIT = Duration.ofSeconds(70);

    /** How often the streams are asked for new entries by default. */
    public static final Duration DEFAULT_POLL_INTERVAL = Duration.ofMillis(250);

    /** How long a revocation is kept in memory: no mandate lives longer, and clocks differ. */
    static final Duration KEEP_IN_MEMORY = MandateOptions.MAX_TTL.plusMinutes(5);

    private static final Duration COMMAND_TIMEOUT = Duration.ofSeconds(5);
    private static final Duration FIRST_BACKOFF = Duration.ofMillis(100);
    private static final Duration MAX_BACKOFF = Duration.ofSeconds(5);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(2);

    private static final Logger log = LoggerFactory.getLogger(RevocationConsumer.class);

    private final Map<RevocationStream, EntrySource> sources;
    private final Target target;
    private final @Nullable StreamSignature signature;
    private final Duration pollInterval;
    private final Duration blindLimit;
    private final Duration commandTimeout;
    private final String name;

    /** Its own: an application that replaces Reactor's shared schedulers disposes those, and what waits there with them. */
    private final Scheduler timer = Schedulers.newSingle("caracal-revocations", true);

    private final Sinks.Many<RevocationStatus> changes = Sinks.many().replay().latest();
    private final Sinks.Empty<Void> end = Sinks.empty();
    private final Sinks.Empty<Void> ended = Sinks.empty();
    private final Disposable.Swap running = Disposables.swap();
    private final AtomicLong handled = new AtomicLong();
    private final AtomicLong dead = new AtomicLong();
    private final long startedAt;
    private volatile @Nullable Long caughtUpAt;
    private volatile @Nullable Boolean connected;
    private volatile @Nullable EntryId lastEntry;
    private volatile Duration lag = Duration.ZERO;
    private volatile boolean disposed;

    /** Where changes go. */
    private interface Target {
        Mono<Void> apply(Change change);
    }

    private RevocationConsumer(Builder builder, @Nullable StreamSignature signature) {
        this.signature = signature;
        this.target = builder.target;
        this.pollInterval = builder.pollInterval;
        this.blindLimit = builder.blindLimit;
        this.commandTimeout = builder.commandTimeout;
        this.name = builder.name;
        this.startedAt = now();
        this.sources = new EnumMap<>(RevocationStream.class);
        for (RevocationStream stream : RevocationStream.values()) {
            sources.put(stream, builder.sources.apply(stream, builder));
        }
    }

    /**
     * A consumer that writes the keys of a store that several instances share.
     *
     * @param store the store, whose connection it uses
     * @param consumer the name of this instance among them, which no other one has at the same time; one that is the same
     *     after a restart, such as the name of a stateful pod, goes on with what it has left
     */
    public static Builder sharing(RedisRevocationStore store, String consumer) {
        Objects.requireNonNull(store, "store");
        if (consumer.isBlank()) {
            throw new IllegalArgumentException("consumer must not be blank: name this instance");
        }
        Target target = change -> {
            if (change instanceof Revoked revoked) {
                return store.revoke(revoked.anchors(), RedisRevocationStore.DEFAULT_KEEP);
            }
            Raised raised = (Raised) change;
            return store.raiseDelegationEpoch(raised.zoneId(), raised.epoch(), RedisRevocationStore.DEFAULT_KEEP);
        };
        return new Builder(
                consumer,
                target,
                (stream, builder) -> new GroupSource(store.redis(), stream, consumer, builder.takeOverAfter));
    }

    /**
     * A consumer that fills the memory of this process alone. It needs no more than to read the streams, and each instance
     * has one of its own.
     *
     * @param redis the commands of a connection that the application closes, as for {@link RedisRevocationStore#create}
     */
    public static Builder feeding(InMemoryRevocationStore store, RedisClusterReactiveCommands<String, String> redis) {
        Objects.requireNonNull(store, "store");
        Objects.requireNonNull(redis, "redis");
        Target target = change -> Mono.fromRunnable(() -> {
            if (change instanceof Revoked revoked) {
                revoked.anchors().forEach(anchor -> unlessImpossible(() -> store.revoke(anchor, KEEP_IN_MEMORY)));
            } else if (change instanceof Raised raised) {
                long epoch = RedisRevocationStore.saturated(raised.epoch());
                unlessImpossible(() -> store.setDelegationEpoch(raised.zoneId(), epoch));
            }
        });
        return new Builder("this process", target, (stream, builder) -> new LogSource(redis, stream, KEEP_IN_MEMORY));
    }

    /** A mandate cannot name an id that the store rejects. */
    private static void unlessImpossible(Runnable change) {
        try {
            change.run();
        } catch (IllegalArgumentException e) {
            log.debug("A revocation is for no id", e);
        }
    }

    private void run() {
        running.update(Flux.defer(this::session)
                .doOnError(this::failed)
                .retryWhen(Retry.backoff(Long.MAX_VALUE, FIRST_BACKOFF)
                        .maxBackoff(MAX_BACKOFF)
                        .transientErrors(true)
                        .filter(e -> !disposed)
                        .scheduler(timer))
                .doFinally(signal -> {
                    var unused = ended.tryEmitEmpty();
                    timer.dispose();
                })
                .subscribe(null, e -> log.debug("Reading the revocations ended", e)));
    }

    /** From a good connection to its first error: an item for each round. */
    private Flux<Boolean> session() {
        Mono<Void> open = Flux.fromIterable(sources.values())
                .concatMap(source -> bounded(source.open()))
                .then();
        // One stream that cannot be read keeps nobody from the other.
        Mono<Boolean> round = Flux.fromIterable(sources.keySet())
                .flatMap(stream -> batch(stream).materialize())
                .collectList()
                .flatMap(RevocationConsumer::unlessFailed)
                .map(batches -> batches.contains(true))
                .doOnNext(this::succeeded)
                .delayUntil(more ->
                        more ? Mono.empty() : Mono.delay(pollInterval, timer).takeUntilOther(end.asMono()));
        return open.thenMany(round.repeat(() -> !disposed));
    }

    /** Deals with the next entries of a stream; whether there may be more. */
    private Mono<Boolean> batch(RevocationStream stream) {
        EntrySource source = source(stream);
        return bounded(source.next().collectList())
                // Signatures of entries of any size are not the business of the connection's event loop.
                .publishOn(timer)
                .flatMap(entries -> handleAll(stream, source, entries).thenReturn(entries.size() >= EntrySource.BATCH));
    }

    private Mono<?> handleAll(
            RevocationStream stream, EntrySource source, List<StreamMessage<String, String>> entries) {
        Flux<StreamMessage<String, String>> all = Flux.fromIterable(entries);
        return source.skips()
                ? all.concatMap(entry -> handle(stream, source, entry).materialize())
                        .collectList()
                        .flatMap(RevocationConsumer::unlessFailed)
                : all.concatMap(entry -> handle(stream, source, entry)).then();
    }

    private static <T> Mono<List<T>> unlessFailed(List<Signal<T>> ends) {
        return Flux.fromIterable(ends)
                .<T>concatMap(end -> {
                    Throwable error = end.getThrowable();
                    return error == null ? Mono.justOrEmpty(end.get()) : Mono.error(error);
                })
                .collectList();
    }

    private Mono<Void> handle(RevocationStream stream, EntrySource source, StreamMessage<String, String> entry) {
        Map<String, String> fields = entry.getBody();
        if (fields == null || fields.isEmpty()) {
            log.warn(
                    "The entry {} of {} was trimmed before its revocation took effect: the stream is too short",
                    entry.getId(),
                    stream.key());
            return bounded(source.done(entry)).doOnSuccess(done -> dealtWith(entry, dead));
        }
        boolean genuine = signature == null || signature.isOf(stream.key(), fields);
        Change change = genuine ? stream.read(fields) : null;
        if (change != null) {
            return bounded(target.apply(change).then(source.done(entry)))
                    .doOnSuccess(done -> dealtWith(entry, handled));
        }
        String reason = genuine ? stream.unreadable() : "invalid_signature";
        log.warn("The entry {} of {} has no effect: {}", entry.getId(), stream.key(), reason);
        return bounded(source.bury(entry, reason).then(source.done(entry))).doOnSuccess(done -> dealtWith(entry, dead));
    }

    private void dealtWith(StreamMessage<String, String> entry, AtomicLong counter) {
        EntryId id = EntryId.of(entry.getId());
        Duration age = Duration.ofMillis(timer.now(TimeUnit.MILLISECONDS) - id.millis());
        lastEntry = id;
        lag = age.isNegative() ? Duration.ZERO : age;
        counter.incrementAndGet();
    }

    private void succeeded(boolean more) {
        if (!more) {
            caughtUpAt = now();
        }
        if (!Boolean.TRUE.equals(connected)) {
            connected = true;
            log.info("Revocations are read by {}", name);
            tell();
        }
    }

    private void failed(Throwable error) {
        if (Boolean.FALSE.equals(connected)) {
            log.debug("Revocations still cannot be read by {}", name, error);
            return;
        }
        connected = false;
        log.warn("Revocations cannot be read by {}, which tries again until it can: {}", name, error.toString());
        tell();
    }

    private void tell() {
        var unused = changes.tryEmitNext(status());
    }

    private <T> Mono<T> bounded(Mono<T> command) {
        return command.timeout(commandTimeout, timer);
    }

    private EntrySource source(RevocationStream stream) {
        return Objects.requireNonNull(sources.get(stream));
    }

    private long now() {
        return timer.now(TimeUnit.NANOSECONDS);
    }

    /** {@return what the consumer knows about its freshness now} */
    public RevocationStatus status() {
        EntryId last = lastEntry;
        return new RevocationStatus(
                Boolean.TRUE.equals(connected),
                blindFor(),
                lag,
                last == null ? null : Instant.ofEpochMilli(last.millis()),
                handled.get(),
                dead.get(),
                sources.values().stream().mapToLong(EntrySource::pending).sum());
    }

    private Duration blindFor() {
        Long since = caughtUpAt;
        return Duration.ofNanos(Math.max(0, now() - (since == null ? startedAt : since)));
    }

    /**
     * {@return the changes between connected and not, the last one first; a hot Flux that never fails; a slow
     * subscriber misses all but the latest; completes when the consumer has ended}
     */
    public Flux<RevocationStatus> changes() {
        return changes.asFlux().takeUntilOther(ended.asMono()).onBackpressureLatest();
    }

    /**
     * A store that answers only while this consumer sees: its lookups fail until the streams were read to their ends once, and
     * whenever that is longer ago than the limit. A verifier then refuses with 503. Put it around the cached store.
     *
     * @param store answers otherwise
     * @return the guarded store
     */
    public RevocationStore guard(RevocationStore store) {
        Objects.requireNonNull(store, "store");
        return new RevocationStore() {
            @Override
            public Mono<Boolean> isRevoked(Set<String> anchors) {
                return unlessBlind(() -> store.isRevoked(anchors));
            }

            @Override
            public Mono<Long> delegationEpoch(String zoneId) {
                return unlessBlind(() -> store.delegationEpoch(zoneId));
            }
        };
    }

    private <T> Mono<T> unlessBlind(Supplier<Mono<T>> lookup) {
        return Mono.defer(() -> {
            boolean never = caughtUpAt == null;
            if (never || blindFor().compareTo(blindLimit) > 0) {
                return Mono.error(new InboundException(
                        InboundException.Reason.VERIFIER_UNAVAILABLE,
                        never
                                ? "The revocations were not read yet"
                                : "No revocations could be read for "
                                        + blindFor().toSeconds() + " s",
                        "Try again later",
                        null));
            }
            return lookup.get();
        });
    }

    /** Ends reading; {@link #disposeLater()} says when that is done. */
    @Override
    public void dispose() {
        var unused =
                disposeLater().subscribe(null, e -> log.warn("The revocation consumer did not end in good order", e));
    }

    /**
     * Ends reading after the entries at hand, and leaves the connection open.
     *
     * @return completes when nothing is sent any more, after two seconds at most; the same end for all callers
     */
    public Mono<Void> disposeLater() {
        return Mono.defer(() -> {
            disposed = true;
            var unused = end.tryEmitEmpty();
            if (!Boolean.TRUE.equals(connected)) {
                running.dispose();
            }
            // Not by its own timer, which has ended when somebody asks again.
            return ended.asMono().timeout(CLOSE_TIMEOUT, Mono.fromRunnable(running::dispose));
        });
    }

    @Override
    public boolean isDisposed() {
        return disposed;
    }

    @Override
    public String toString() {
        return "RevocationConsumer[" + name + ", " + status() + "]";
    }

    /** Collects the settings of a consumer. Not for use by several threads. */
    public static final class Builder {
        private final String name;
        private final Target target;
        private final BiFunction<RevocationStream, Builder, EntrySource> sources;
        private @Nullable String hmacKey;
        private boolean unsigned;
        private Duration pollInterval = DEFAULT_POLL_INTERVAL;
        private Duration blindLimit = DEFAULT_BLIND_LIMIT;
        private Duration takeOverAfter = GroupSource.IDLE;
        private Duration commandTimeout = COMMAND_TIMEOUT;

        private Builder(String name, Target target, BiFunction<RevocationStream, Builder, EntrySource> sources) {
            this.name = name;
            this.target = target;
            this.sources = sources;
        }

        /**
         * Sets the key with which the platform signs its entries. Required, unless {@link #unsigned()} is chosen.
         *
         * @param hex the platform's {@code STREAMS_HMAC_KEY}, in hexadecimal; {@code null} counts as not set
         */
        public Builder hmacKey(@Nullable String hex) {
            this.hmacKey = hex;
            return this;
        }

        /**
         * Believes every entry, signed or not: whoever may write to the streams then decides who is let in. For a platform
         * that has no key.
         */
        public Builder unsigned() {
            this.unsigned = true;
            return this;
        }

        /**
         * Sets how often the streams are asked for new entries.
         *
         * @param interval from 10 milliseconds to 10 seconds; by default {@link #DEFAULT_POLL_INTERVAL}
         * @throws IllegalArgumentException if it is another
         */
        public Builder pollInterval(Duration interval) {
            if (interval.compareTo(Duration.ofMillis(10)) < 0 || interval.compareTo(Duration.ofSeconds(10)) > 0) {
                throw new IllegalArgumentException("pollInterval must be from 10 ms to 10 s, not " + interval);
            }
            this.pollInterval = interval;
            return this;
        }

        /**
         * Sets how long {@link #guard} lets a store answer while the streams cannot be read to their ends.
         *
         * @param limit from a second to an hour; by default {@link #DEFAULT_BLIND_LIMIT}
         * @throws IllegalArgumentException if it is another
         */
        public Builder blindLimit(Duration limit) {
            if (limit.compareTo(Duration.ofSeconds(1)) < 0 || limit.compareTo(Duration.ofHours(1)) > 0) {
                throw new IllegalArgumentException("blindLimit must be from 1 s to 1 h, not " + limit);
            }
            this.blindLimit = limit;
            return this;
        }

        Builder takeOverAfter(Duration idle) {
            this.takeOverAfter = idle;
            return this;
        }

        Builder commandTimeout(Duration timeout) {
            this.commandTimeout = timeout;
            return this;
        }

        /**
         * Begins to read, and waits for nothing.
         *
         * @return the consumer, to be ended before its connection is closed
         * @throws ConfigurationException if there is no usable key and unsigned entries were not chosen, or both were
         */
        public RevocationConsumer start() {
            StreamSignature signature = signature();
            RevocationConsumer consumer = new RevocationConsumer(this, signature);
            if (signature == null) {
                log.warn("Revocations are believed unsigned by {}: whoever writes to the streams decides", name);
            }
            consumer.run();
            return consumer;
        }

        private @Nullable StreamSignature signature() {
            String key = hmacKey;
            if (key == null) {
                if (!unsigned) {
                    throw invalid("is missing: give the platform's STREAMS_HMAC_KEY, or choose unsigned()");
                }
                return null;
            }
            if (unsigned) {
                throw invalid("is set together with unsigned(): choose one of them");
            }
            try {
                return StreamSignature.of(key);
            } catch (IllegalArgumentException e) {
                throw invalid(String.valueOf(e.getMessage()));
            }
        }

        private static ConfigurationException invalid(String message) {
            return new ConfigurationException(List.of(new Problem("hmacKey", "revocation consumer builder", message)));
        }

        /** Shows no key. */
        @Override
        public String toString() {
            return "RevocationConsumer.Builder[" + name + "]";
        }
    }
}
