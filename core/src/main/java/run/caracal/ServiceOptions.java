package run.caracal;

import java.time.Duration;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import run.caracal.internal.Supplied;
import run.caracal.internal.context.Session;
import run.caracal.internal.options.Arguments;
import run.caracal.internal.session.ServiceSpec;

/**
 * Options of a service agent. Immutable; each option is checked against the platform's limits when it is set. A service
 * has no TTL: it lives as long as its lease is renewed.
 */
public final class ServiceOptions {
    private static final ServiceOptions DEFAULTS = builder().build();

    /** The options that a service shares with a task; its TTL stays unset. */
    private final SpawnOptions session;

    private final @Nullable Duration heartbeatInterval;
    private final @Nullable Supplier<Mono<Health>> health;
    private final @Nullable Duration reopen;

    private ServiceOptions(Builder b) {
        this.session = b.session.build();
        this.heartbeatInterval = b.heartbeatInterval;
        this.health = b.health;
        this.reopen = b.reopen;
    }

    /** {@return the default options} */
    public static ServiceOptions defaults() {
        return DEFAULTS;
    }

    /** {@return a builder with the default options} */
    public static Builder builder() {
        return new Builder(SpawnOptions.builder());
    }

    /** {@return a builder with the same values} */
    public Builder mutate() {
        Builder builder = new Builder(session.mutate());
        builder.heartbeatInterval = heartbeatInterval;
        builder.health = health;
        builder.reopen = reopen;
        return builder;
    }

    /** {@return whether the application id is added to the {@link #labels()}; {@code false} by default} */
    public boolean labelledAsApplication() {
        return session.labelledAsApplication();
    }

    /** {@return the labels; an immutable list, empty by default} */
    public List<String> labels() {
        return session.labels();
    }

    /** {@return the metadata of the session; an immutable JSON object, empty by default} */
    public Map<String, @Nullable Object> metadata() {
        return session.metadata();
    }

    /** {@return the kind of the session, which current platforms ignore; empty for the configured default} */
    public Optional<String> kind() {
        return session.kind();
    }

    /** {@return the parent service; empty for the service bound in the Reactor Context, if any} */
    public Optional<CaracalContext> parent() {
        return session.parent();
    }

    /** {@return the authority that the service is granted; {@link Grant#inherit()} by default} */
    public Grant grant() {
        return session.grant();
    }

    /** {@return your own idempotency key; empty for a key generated per subscription} */
    public Optional<String> idempotencyKey() {
        return session.idempotencyKey();
    }

    /**
     * {@return the interval of background renewals; empty if the lease is renewed by {@code heartbeat()} or
     * {@code heartbeats()} only}
     */
    public Optional<Duration> heartbeatInterval() {
        return Optional.ofNullable(heartbeatInterval);
    }

    /** {@return the health check; empty if every renewal reports {@link Health#HEALTHY}} */
    public Optional<Supplier<Mono<Health>>> health() {
        return Optional.ofNullable(health);
    }

    /** {@return the first backoff of {@link Builder#reopen}; empty if the first error ends the service} */
    public Optional<Duration> reopen() {
        return Optional.ofNullable(reopen);
    }

    ServiceSpec spec() {
        Supplier<Mono<Health>> signal = health;
        return new ServiceSpec(
                session.spec(),
                heartbeatInterval,
                signal == null
                        ? null
                        : () -> Supplied.ask("The health function", signal).map(Health::wire),
                reopen);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof ServiceOptions that
                && session.equals(that.session)
                && Objects.equals(heartbeatInterval, that.heartbeatInterval)
                && Objects.equals(health, that.health)
                && Objects.equals(reopen, that.reopen);
    }

    @Override
    public int hashCode() {
        return Objects.hash(session, heartbeatInterval, health, reopen);
    }

    @Override
    public String toString() {
        return "ServiceOptions[labels=" + labels() + ", heartbeatInterval=" + heartbeatInterval + ", reopen=" + reopen
                + "]";
    }

    /** Builds {@link ServiceOptions}. Not for use by several threads at once. */
    public static final class Builder {
        private SpawnOptions.Builder session;
        private @Nullable Duration heartbeatInterval;
        private @Nullable Supplier<Mono<Health>> health;
        private @Nullable Duration reopen;

        private Builder(SpawnOptions.Builder session) {
            this.session = session;
        }

        /**
         * Sets the labels.
         *
         * @param labels up to {@value SpawnOptions#MAX_LABELS} labels of 1 to {@value SpawnOptions#MAX_LABEL_LENGTH}
         *     characters each
         */
        public Builder labels(String... labels) {
            return labels(Arrays.asList(labels));
        }

        /** Sets the labels; see {@link #labels(String...)}. */
        public Builder labels(List<String> labels) {
            session = session.labels(labels);
            return this;
        }

        /** Adds the application id to the labels; see {@link SpawnOptions.Builder#labelledAsApplication()}. */
        public Builder labelledAsApplication() {
            session = session.labelledAsApplication();
            return this;
        }

        /**
         * Sets the metadata of the session.
         *
         * @param metadata a JSON object: values are strings, numbers, booleans, {@code null}, and lists and maps of
         *     them
         */
        public Builder metadata(Map<String, ?> metadata) {
            session = session.metadata(metadata);
            return this;
        }

        /** Sets the kind, which current platforms ignore. */
        public Builder kind(String kind) {
            session = session.kind(kind);
            return this;
        }

        /**
         * Sets the parent, which must be a service: the platform does not allow tasks to open services.
         *
         * @throws IllegalArgumentException if the context is that of a task
         */
        public Builder parent(CaracalContext parent) {
            Session own = parent.bound().session();
            if (own != null && !own.isService()) {
                throw Arguments.fault(
                        "parent",
                        "the session " + parent.agentSessionId()
                                + " is a task, and the platform lets no task open a service; open the service outside of it, or "
                                + "with a service as its parent");
            }
            session = session.parent(parent);
            return this;
        }

        /**
         * Sets the authority that the service is granted. A narrowed service keeps it for its whole life: the SDK
         * renews its delegation before it expires. If the service has no parent service, the SDK opens, renews and
         * closes one that holds the authority.
         */
        public Builder grant(Grant grant) {
            session = session.grant(grant);
            return this;
        }

        /**
         * Sets your own idempotency key. If it opened a session before, opening the service fails.
         *
         * @param key up to 255 bytes in UTF-8, without surrounding white space and control characters
         */
        public Builder idempotencyKey(String key) {
            session = session.idempotencyKey(key);
            return this;
        }

        /**
         * Renews the lease in the background, as long as the service is open.
         *
         * @param interval positive; adjusted, with a warning, to at least a second and at most a third of the lease
         */
        public Builder heartbeatInterval(Duration interval) {
            this.heartbeatInterval = Arguments.interval(interval, "heartbeatInterval");
            return this;
        }

        /**
         * Sets the health check. It runs before each renewal with the service bound, and the renewal reports its
         * result. If it fails, completes empty or times out, the renewal is skipped, so that a hung service loses its
         * lease.
         *
         * @param health subscribed on {@code Schedulers.boundedElastic()}, where it may block
         */
        public Builder health(Supplier<Mono<Health>> health) {
            this.health = Objects.requireNonNull(health, "health");
            return this;
        }

        /**
         * Runs {@link Caracal#runService} as a daemon. A new service is opened when the lease has expired, when the
         * session or its authority record is gone, and when opening fails transiently. When the work fails with an
         * {@link Exception}, the failure is logged with its stack, and the work is subscribed again in the same
         * service. The daemon completes when the work completes, and fails when another holder took over the session
         * ({@link run.caracal.error.LeaseLostException.Reason#FENCED}), when it was suspended
         * ({@link run.caracal.error.LeaseLostException.Reason#SUSPENDED}), and when the platform rejects the
         * application permanently.
         *
         * <p>The backoff doubles up to a minute, with jitter, and is reset after a minute without failure. Used by
         * {@code runService} and {@code runServiceMono} only.
         *
         * @param backoff the first backoff, from a millisecond to an hour
         * @throws IllegalArgumentException if it is out of range
         */
        public Builder reopen(Duration backoff) {
            this.reopen = Arguments.timeout(backoff, "reopen");
            return this;
        }

        /**
         * Builds the options.
         *
         * @throws IllegalArgumentException if {@code reopen} and {@code idempotencyKey} are both set
         */
        public ServiceOptions build() {
            if (reopen != null && session.build().idempotencyKey().isPresent()) {
                throw Arguments.fault("reopen", "cannot be with an idempotencyKey, which opens one session alone");
            }
            return new ServiceOptions(this);
        }
    }
}
