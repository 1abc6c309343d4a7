package run.caracal.boot;

import java.time.Duration;
import org.springframework.boot.health.contributor.Health;
import org.springframework.boot.health.contributor.ReactiveHealthIndicator;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import run.caracal.error.CaracalException;

/**
 * Checks whether a part of the platform is usable, with a timeout. The result is cached, so that concurrent health requests
 * share one check.
 */
final class CaracalHealthIndicator implements ReactiveHealthIndicator {
    private final Mono<Health> health;

    /**
     * Creates the indicator.
     *
     * @param check completes if the part is usable
     * @param up the health in that case
     * @param timeout the timeout of a check
     * @param ttl how long a result is cached
     */
    CaracalHealthIndicator(Mono<Void> check, Health up, Duration timeout, Duration ttl) {
        Health late = Health.down()
                .withDetail("error", "no answer within " + timeout.toMillis() + " ms")
                .build();
        this.health = check.thenReturn(up)
                .timeout(timeout, Mono.just(late), Schedulers.parallel())
                .onErrorResume(e -> Mono.just(down(e)))
                // Errors are values by now; a cancelled subscriber does not cancel the shared check.
                .cache(ttl);
    }

    /** Messages of the SDK contain no secrets; those of other exceptions may. */
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
