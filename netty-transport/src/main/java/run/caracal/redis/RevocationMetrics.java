package run.caracal.redis;

import io.micrometer.core.instrument.FunctionCounter;
import io.micrometer.core.instrument.Gauge;
import io.micrometer.core.instrument.MeterRegistry;
import io.micrometer.core.instrument.TimeGauge;
import io.micrometer.core.instrument.binder.MeterBinder;
import java.time.Duration;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Meters of one consumer: {@code caracal.revocation.connected} (gauge, 0 or 1), {@code .blind} and {@code .lag} (gauges
 * of time), {@code .pending} (gauge), {@code .handled} and {@code .dead} (counters), as {@link RevocationStatus}
 * defines them.
 *
 * <pre>{@code
 * RevocationMetrics.of(consumer).bindTo(registry);
 * }</pre>
 *
 * <p>Immutable and thread-safe.
 */
public final class RevocationMetrics implements MeterBinder {
    private static final String PREFIX = "caracal.revocation.";

    private final RevocationConsumer consumer;

    private RevocationMetrics(RevocationConsumer consumer) {
        this.consumer = consumer;
    }

    /** {@return the meters of a consumer} */
    public static RevocationMetrics of(RevocationConsumer consumer) {
        return new RevocationMetrics(Objects.requireNonNull(consumer, "consumer"));
    }

    /** Registers the meters; the registry then holds the consumer. Bind once per registry. */
    @Override
    public void bindTo(MeterRegistry registry) {
        Gauge.builder(PREFIX + "connected", consumer, it -> it.status().connected() ? 1 : 0)
                .strongReference(true)
                .register(registry);
        Gauge.builder(PREFIX + "pending", consumer, it -> it.status().pending())
                .strongReference(true)
                .register(registry);
        time(registry, "blind", RevocationStatus::blindFor);
        time(registry, "lag", RevocationStatus::lag);
        FunctionCounter.builder(PREFIX + "handled", consumer, it -> it.status().handled())
                .register(registry);
        FunctionCounter.builder(PREFIX + "dead", consumer, it -> it.status().dead())
                .register(registry);
    }

    private void time(MeterRegistry registry, String name, Function<RevocationStatus, Duration> time) {
        TimeGauge.builder(
                        PREFIX + name,
                        consumer,
                        TimeUnit.MILLISECONDS,
                        it -> time.apply(it.status()).toMillis())
                .strongReference(true)
                .register(registry);
    }
}
