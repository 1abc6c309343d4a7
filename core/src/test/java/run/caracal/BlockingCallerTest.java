package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.util.concurrent.ExecutorService;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.test.FakePlatform;
import run.caracal.test.VirtualThreads;

/** A caller may block for a session where blocking is allowed, and gets an error elsewhere. */
class BlockingCallerTest {
    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    private Mono<String> work() {
        return caracal.spawn(
                context -> caracal.current().map(CaracalContext::agentSessionId).publishOn(Schedulers.parallel()));
    }

    @Test
    void aPlainThreadMayBlock() {
        for (int i = 1; i <= 50; i++) {
            assertThat(work().block(LIMIT)).isEqualTo("session-" + i);
            assertThat(platform.live()).isEmpty();
        }
    }

    @Test
    void aVirtualThreadMayBlock() throws Exception {
        ExecutorService executor = VirtualThreads.executor();
        try {
            for (int i = 1; i <= 50; i++) {
                assertThat(executor.submit(() -> work().block(LIMIT)).get(10, TimeUnit.SECONDS))
                        .isEqualTo("session-" + i);
            }
            assertThat(platform.live()).isEmpty();
        } finally {
            executor.shutdownNow();
        }
    }

    /** Reactor subscribes before it refuses to wait: the work runs to its end, and its session ends with it. */
    @Test
    void aParallelThreadIsToldClearly_andNoSessionIsLeft() {
        Sinks.Empty<Void> gate = Sinks.empty();
        platform.next(FakePlatform::isOpen, real -> real.delayUntil(opened -> gate.asMono()));
        StepVerifier.create(Mono.fromCallable(() -> work().block()).subscribeOn(Schedulers.parallel()))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(IllegalStateException.class)
                        .hasMessageContaining("block()")
                        .hasMessageContaining("not supported in thread parallel-"))
                .verify(LIMIT);
        gate.tryEmitEmpty().orThrow();
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.opened()).isEqualTo(1);
        assertThat(platform.ended()).containsExactly("session-1");
    }
}
