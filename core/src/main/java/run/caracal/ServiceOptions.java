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
 * How a service agent is opened. Immutable; every limit of the platform is checked when an option is set, before any call.
 * A service has no TTL: it lives as long as its lease is renewed.
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

    /** {@return the options of a plain {@code spawnService}, with every default} */
    public static ServiceOptions defaults() {
        return DEFAULTS;
    }

    /** {@return a builder with every default} */
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

    /** {@return whether the application id is a label too, besides {@link #labels()}; {@code false} by default} */
    public boolean labelledAsApplication() {
        return session.labelledAsApplication();
    }

    /** {@return the labels; an immutable list, empty by default} */
    public List<String> labels() {
        return session.labels();
    }

    /** {@return what the session's record says besides; an immutable JSON object, empty by default} */
    public Map<String, @Nullable Object> metadata() {
        return session.metadata();
    }

    /** {@return the kind of the session, for platforms that know kinds; empty for the configuration's default} */
    public Optional<String> kind() {
        return session.kind();
    }

    /** {@return the parent, a service itself; empty for the service bound in the Reactor Context, if any} */
    public Optional<CaracalContext> parent() {
        return session.parent();
    }

    /** {@return what the service gets of authority; {@link Grant#inherit()} by default} */
    public Grant grant() {
        return session.grant();
    }

    /** {@return the caller's own idempotency key; empty for one that is generated for each subscription} */
    public Optional<String> idempotencyKey() {
        return session.idempotencyKey();
    }

    /**
     * {@return the interval of renewals in the background; empty when the lease is renewed by whoever calls {@code
     * heartbeat} or listens to {@code heartbeats}}
     */
    public Optional<Duration> heartbeatInterval() {
        return Optional.ofNullable(heartbeatInterval);
    }

    /**
     * {@return the health function of the service; the signal of liveness; empty when every renewal says {@link
     * Health#HEALTHY}}
     */
    public Optional<Supplier<Mono<Health>>> health() {
        return Optional.ofNullable(health);
    }

    /**
     * {@return how long {@link Caracal#runService} pauses before it begins again for the first time; empty when it ends with
     * its service or its work}
     */
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
         * Sets what the session's record says besides.
         *
         * @param metadata a JSON object: values are strings, numbers, booleans, {@code null}, and lists and maps of them
         */
        public Builder metadata(Map<String, ?> metadata) {
            session = session.metadata(metadata);
            return this;
        }

        /** Sets the kind, which platforms from 1.0 on ignore. */
        public Builder kind(String kind) {
            session = session.kind(kind);
            return this;
        }

        /**
         * Sets the parent, which must be a service: the platform does not let a task open one.
         *
         * @param parent the context of a service session
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
         * Sets what the service gets of authority. A narrowed service keeps its authority for its whole life: its delegation
         * is renewed before it expires, and when it has no service as its parent, the SDK opens, renews and closes one that
         * holds the authority.
         */
        public Builder grant(Grant grant) {
            session = session.grant(grant);
            return this;
        }

        /**
         * Sets the caller's own idempotency key. A replay of a session that it opened before is an error.
         *
         * @param key up to 255 bytes in UTF-8, without surrounding white space and control characters
         */
        public Builder idempotencyKey(String key) {
            session = session.idempotencyKey(key);
            return this;
        }

        /**
         * Renews the lease in the background, from the opening of the service to its end. An interval of less
         * than a second, or of more than a third of the lease, becomes that, with a warning.
         *
         * @param interval a positive time
         */
        public Builder heartbeatInterval(Duration interval) {
            this.heartbeatInterval = Arguments.interval(interval, "heartbeatInterval");
            return this;
        }

        /**
         * Sets what tells how the service is: asked before each renewal, with the service bound, and the renewal carries the
         * answer. When it fails, gives
         * nothing, or takes longer than a renewal may, the renewal is skipped, so a service that hangs loses its lease.
         *
         * @param health the signal of liveness; subscribed on {@code Schedulers.boundedElastic()}, where it may block
         */
        public Builder health(Supplier<Mono<Health>> health) {
            this.health = Objects.requireNonNull(health, "health");
            return this;
        }

        /**
         * Makes a daemon of what {@link Caracal#runService} runs. It opens a new service when the lease has expired, when the
         * session is gone or its authority record is not active any more, and when the opening fails for a reason that
         * passes. It begins the work again, in the same service, when that fails with any {@link Exception}, which is logged
         * with its stack. It ends when the work completes, when somebody else took the session over or suspended it ({@link
         * run.caracal.error.LeaseLostException.Reason#FENCED}, {@link
         * run.caracal.error.LeaseLostException.Reason#SUSPENDED}), and when the platform refuses the application for good.
         *
         * <p>Each pause is double the one before it, up to a minute, with jitter; after a minute without a failure they begin
         * anew. Nothing else than {@code runService} and {@code runServiceMono} uses this.
         *
         * @param backoff the first pause, a millisecond to an hour
         * @throws IllegalArgumentException when it is less or more
         */
        public Builder reopen(Duration backoff) {
            this.reopen = Arguments.timeout(backoff, "reopen");
            return this;
        }

        /**
         * Builds the options.
         *
         * @throws IllegalArgumentException if options contradict each other
         */
        public ServiceOptions build() {
            if (reopen != null && session.build().idempotencyKey().isPresent()) {
                throw Arguments.fault("reopen", "cannot be with an idempotencyKey, which opens one session alone");
            }
            return new ServiceOptions(this);
        }
    }
}
