package run.caracal.boot;

import java.time.Duration;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.ReactiveHealthIndicator;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import run.caracal.error.CaracalException;

/**
 * Whether something of the platform can be used. The answer is bounded in time and kept for a moment, so that many who ask make
 * one call.
 */
final class CaracalHealthIndicator implements ReactiveHealthIndicator {
    private final Mono<Health> health;

    /**
     * Creates the indicator.
     *
     * @param check completes when it can be used
     * @param up what to tell then
     * @param timeout how long to wait for it
     * @param ttl how long to keep the answer
     */
    CaracalHealthIndicator(Mono<Void> check, Health up, Duration timeout, Duration ttl) {
        Health late = Health.down()
                .withDetail("error", "no answer within " + timeout.toMillis() + " ms")
                .build();
        this.health = check.thenReturn(up)
                .timeout(timeout, Mono.just(late), Schedulers.parallel())
                .onErrorResume(e -> Mono.just(down(e)))
                // Values only, errors being values by now; the call goes on when one of those who wait has gone.
                .cache(ttl);
    }

    /** The SDK's messages hold no secret; others may. */
    private static Health down(Throwable error) {
        return error instanceof CaracalException known
                ? Health.down()
                        .withDetail("error", known.code())
                        .withDetail("message", String.valueOf(known.getMessage()))
                        .build()
                : Health.down().withDetail("error", error.getClass().getName()).build();
    }

    @Override
    public Mono<Health> health() {
        return health;
    }
}
