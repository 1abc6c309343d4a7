package run.caracal.internal.event;

import static org.assertj.core.api.Assertions.assertThat;

import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.event.Completion.Outcome;

/** Listeners get all events of concurrent threads, and the bus ends without blocking a thread. */
class EventBusTest {
    private static final Duration LIMIT = Duration.ofSeconds(30);
    private static final Completion DONE = new Completion(Outcome.SUCCESS, Duration.ZERO, 200, null, null);

    @Test
    void whatManyThreadsEmitAtOnceIsHeardCompletely() {
        for (int round = 0; round < 200; round++) {
            EventBus bus = new EventBus();
            Queue<CaracalEvent> heard = new ConcurrentLinkedQueue<>();
            Disposable listening = bus.listen(heard::add);
            Mono<Void> emissions = Flux.range(0, 8)
                    .flatMap(thread -> Flux.range(0, 100)
                            .doOnNext(i -> bus.emit(() -> new CaracalEvent.SessionClosed(thread + "-" + i, DONE)))
                            .then()
                            .subscribeOn(Schedulers.boundedElastic()))
                    .then();
            StepVerifier.create(emissions.then(bus.close())).expectComplete().verify(LIMIT);
            assertThat(heard).hasSize(800).doesNotHaveDuplicates();
            listening.dispose();
        }
    }

    @Test
    void theEndOfTheBusBlocksNoThreadThatMustNotBlock() {
        Mono<Void> ends = Flux.range(0, 500)
                .flatMap(i -> Mono.defer(() -> new EventBus().close()).subscribeOn(Schedulers.parallel()), 8)
                .then();
        StepVerifier.create(ends).expectComplete().verify(LIMIT);
    }

    @Test
    void eventsOfOneThreadKeepTheirOrder() {
        EventBus bus = new EventBus();
        Queue<CaracalEvent> heard = new ConcurrentLinkedQueue<>();
        Disposable listening = bus.listen(heard::add);
        List<CaracalEvent> emitted = Flux.range(0, 500)
                .<CaracalEvent>map(i -> new CaracalEvent.SessionClosed("s" + i, DONE))
                .doOnNext(event -> bus.emit(() -> event))
                .collectList()
                .block(LIMIT);
        StepVerifier.create(bus.close()).expectComplete().verify(LIMIT);
        assertThat(heard).containsExactlyElementsOf(emitted);
        listening.dispose();
    }
}
