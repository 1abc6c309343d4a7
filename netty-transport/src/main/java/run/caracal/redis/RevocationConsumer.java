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
 * Reads the platform's two revocation streams into a store.
 *
 * <pre>{@code
 * RedisRevocationStore shared = RedisRevocationStore.create(connection.reactive());
 * RevocationConsumer consumer = RevocationConsumer.sharing(shared, "billing-1")
 *         .hmacKey(System.getenv("STREAMS_HMAC_KEY"))
 *         .start();
 * RevocationStore revocations = consumer.guard(RevocationStore.cached(shared));
 * }</pre>
 *
 * <p>With {@link #sharing} the instances of a resource server form one consumer group, and write keys that all of them
 * look up. An entry is acknowledged when its keys are written; if an instance does not do so within 30 seconds, another
 * one takes over the entry. With {@link #feeding} a single process reads the streams into its own memory, and writes
 * nothing to Redis.
 *
 * <p>An entry that is not signed with the key, or malformed, is copied to {@code <stream>.dead} and acknowledged. An
 * entry whose keys cannot be written is retried. After a failure, reading restarts with a backoff of up to five
 * seconds, and missing groups are created again; the first failure and the recovery are logged.
 *
 * <p>The streams are polled, so the connection may be shared with other work. The application closes it after the
 * consumer. Non-blocking and thread-safe.
 */
public final class RevocationConsumer implements Disposable {
    /** The default limit of {@link Builder#blindLimit}, which is that of the platform's Gateway. */
    public static final Duration DEFAULT_BLIND_LIMIT = Duration.ofSeconds(70);

    /** The default poll interval. */
    public static final Duration DEFAULT_POLL_INTERVAL = Duration.ofMillis(250);

    /** How long a revocation is stored in memory: the longest life of a mandate plus a clock skew. */
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

    /** Not a shared scheduler, because an application that replaces those disposes them with their pending tasks. */
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

    /** The receiver of changes. */
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
     * {@return a builder of a consumer that writes the keys of a store shared by several instances, over its
     * connection}
     *
     * @param consumer the name of this instance, unique among them; an instance that keeps its name after a restart,
     *     such as a stateful pod, resumes its unacknowledged entries
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
     * {@return a builder of a consumer that fills the memory of this process; each instance has its own}
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

    /** Reads until the first error; emits an item per round. */
    private Flux<Boolean> session() {
        Mono<Void> open = Flux.fromIterable(sources.values())
                .concatMap(source -> bounded(source.open()))
                .then();
        // A failure of one stream does not stop the other.
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

    /** Processes the next entries of a stream; emits whether there may be more. */
    private Mono<Boolean> batch(RevocationStream stream) {
        EntrySource source = source(stream);
        return bounded(source.next().collectList())
                // Signatures of entries of any size must not block the connection's event loop.
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

    /** {@return the current status} */
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
     * {@return the changes of the connection state, starting with the last one} Hot; never fails; a slow subscriber
     * gets the latest; completes when the consumer has ended.
     */
    public Flux<RevocationStatus> changes() {
        return changes.asFlux().takeUntilOther(ended.asMono()).onBackpressureLatest();
    }

    /**
     * {@return a store whose lookups fail, so that a verifier rejects requests with 503, until both streams were read
     * to their ends once, and whenever that was longer ago than the {@linkplain Builder#blindLimit limit}} Wrap the
     * cached store.
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

    /** Stops reading like {@link #disposeLater()}, without waiting. */
    @Override
    public void dispose() {
        var unused = disposeLater().subscribe(null, e -> log.warn("Closing the revocation consumer failed", e));
    }

    /**
     * Stops reading after the current entries, and leaves the connection open. Idempotent; all subscribers share one
     * completion.
     *
     * @return completes when nothing more is sent, after two seconds at most
     */
    public Mono<Void> disposeLater() {
        return Mono.defer(() -> {
            disposed = true;
            var unused = end.tryEmitEmpty();
            if (!Boolean.TRUE.equals(connected)) {
                running.dispose();
            }
            // Not on the own timer, which has ended for a later subscriber.
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

    /** Builds a {@link RevocationConsumer}. Not for use by several threads at once. */
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
         * Sets the key that signs the platform's entries. Required, unless {@link #unsigned()} is set.
         *
         * @param hex the platform's {@code STREAMS_HMAC_KEY}, in hexadecimal; {@code null} counts as not set
         */
        public Builder hmacKey(@Nullable String hex) {
            this.hmacKey = hex;
            return this;
        }

        /**
         * Accepts unsigned entries, for a platform without a key: anyone who may write to the streams can then revoke,
         * and fake epochs.
         */
        public Builder unsigned() {
            this.unsigned = true;
            return this;
        }

        /**
         * Sets the poll interval.
         *
         * @param interval from 10 milliseconds to 10 seconds; {@link #DEFAULT_POLL_INTERVAL} by default
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder pollInterval(Duration interval) {
            if (interval.compareTo(Duration.ofMillis(10)) < 0 || interval.compareTo(Duration.ofSeconds(10)) > 0) {
                throw new IllegalArgumentException("pollInterval must be from 10 ms to 10 s, not " + interval);
            }
            this.pollInterval = interval;
            return this;
        }

        /**
         * Sets how long {@link #guard} lets lookups pass while the streams cannot be read to their ends.
         *
         * @param limit from a second to an hour; {@link #DEFAULT_BLIND_LIMIT} by default
         * @throws IllegalArgumentException if it is out of range
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
         * Starts reading, without waiting.
         *
         * @return the consumer, to be disposed before its connection is closed
         * @throws ConfigurationException if neither a valid key nor {@link #unsigned()} is set, or both are
         */
        public RevocationConsumer start() {
            StreamSignature signature = signature();
            RevocationConsumer consumer = new RevocationConsumer(this, signature);
            if (signature == null) {
                log.warn(
                        "Unsigned revocations are accepted by {}: anyone with write access to the streams can revoke",
                        name);
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

        /** Omits the key. */
        @Override
        public String toString() {
            return "RevocationConsumer.Builder[" + name + "]";
        }
    }
}
