package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.publisher.PublisherProbe;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ClosedException;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ForeignContextException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.CaracalEvent.CoordinatorCall;
import run.caracal.event.CaracalEvent.SessionClosed;
import run.caracal.event.CaracalEvent.SessionOpened;
import run.caracal.event.CaracalEvent.TokenExchange;
import run.caracal.event.Completion.Outcome;
import run.caracal.test.Effort;
import run.caracal.test.FakePlatform;
import run.caracal.test.Threads;

class CaracalLifecycleTest {
    private final FakePlatform platform = new FakePlatform();

    @Test
    void disposeLaterWaitsForTheSessionAtWork() {
        Caracal caracal = platform.client();
        Sinks.One<String> work = Sinks.one();
        List<String> order = new ArrayList<>();
        Disposable running = caracal.spawn(
                        context -> work.asMono().flatMap(x -> caracal.headers().thenReturn(x)))
                .subscribe(x -> order.add("worked"));
        Mono<Void> close = caracal.disposeLater();
        Disposable closing = close.subscribe(null, null, () -> order.add("closed"));
        StepVerifier.create(caracal.spawn(context -> Mono.just(1)))
                .expectError(ClosedException.class)
                .verify(LIMIT);
        assertThat(order).isEmpty();
        work.tryEmitValue("x").orThrow();
        StepVerifier.create(close).expectComplete().verify(LIMIT);
        assertThat(order).startsWith("worked");
        assertThat(platform.live()).isEmpty();
        assertThat(running.isDisposed()).isTrue();
        assertThat(closing.isDisposed()).isTrue();
    }

    @Test
    void disposeLaterTerminatesTheRestWhenItsBoundIsOver() {
        Caracal caracal = Caracal.create(
                platform.config().disposeTimeout(Duration.ofMillis(50)).build());
        Disposable running = Flux.range(0, 20)
                .flatMap(i -> caracal.spawn(context -> caracal.spawn(child -> Mono.never())))
                .subscribe();
        assertThat(platform.live()).hasSize(40);
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.live()).isEmpty();
        running.dispose();
        assertThat(platform.ended()).hasSize(40).doesNotHaveDuplicates();
    }

    @Test
    void tlsIsPreparedBesideTheRestAndEndsWithTheClient() {
        PublisherProbe<Void> preparation = PublisherProbe.of(Mono.never());
        platform.tls(preparation.mono());
        Caracal caracal = platform.client();
        preparation.assertWasSubscribed();
        StepVerifier.create(caracal.spawn(context -> Mono.just(1)))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        preparation.assertWasNotCancelled();
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        preparation.assertWasCancelled();
    }

    @Test
    void tlsIsNotPreparedForPlainHttpAndItsFailureHarmsNobody() {
        PublisherProbe<Void> preparation = PublisherProbe.of(Mono.error(new IllegalStateException("no trust store")));
        platform.tls(preparation.mono());
        Caracal plain = Caracal.create(platform.config()
                .stsUrl("http://localhost:1")
                .coordinatorUrl("http://localhost:2")
                .gatewayUrl("http://localhost:3")
                .build());
        preparation.assertWasNotSubscribed();
        Caracal caracal = platform.client();
        preparation.assertWasSubscribed();
        StepVerifier.create(caracal.spawn(context -> Mono.just(1)))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(plain.disposeLater().then(caracal.disposeLater()))
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void oneEndForAllCallers() {
        Caracal caracal = platform.client();
        caracal.dispose();
        caracal.dispose();
        StepVerifier.create(Flux.merge(caracal.disposeLater(), caracal.disposeLater()))
                .expectComplete()
                .verify(LIMIT);
        assertThat(caracal.isDisposed()).isTrue();
    }

    @Test
    void disposeLaterIsLazy() {
        Caracal caracal = platform.client();
        Mono<Void> close = caracal.disposeLater();
        StepVerifier.create(caracal.spawn(context -> Mono.just(1)))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(close).expectComplete().verify(LIMIT);
    }

    /** A hundred clients come and go without leaving a thread behind. */
    @Test
    void noThreadStays() {
        for (int i = 0; i < 100; i++) {
            Caracal caracal = platform.client();
            Disposable listener = caracal.onEvent(event -> {});
            StepVerifier.create(caracal.spawn(context -> Mono.just(1)).then(caracal.disposeLater()))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(listener.isDisposed() || i >= 0).isTrue();
        }
        StepVerifier.create(Mono.fromSupplier(() -> Threads.named("caracal-"))
                        .filter(List::isEmpty)
                        .repeatWhenEmpty(500, n -> n.delayElements(Duration.ofMillis(10))))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void everyOperationEmitsAnEvent() {
        Caracal caracal = platform.client();
        Queue<CaracalEvent> events = new ConcurrentLinkedQueue<>();
        Disposable listener = caracal.onEvent(events::add);
        Mono<Void> completed = caracal.events().then();
        platform.nextAnswer(FakePlatform::isTerminate, 403, "{\"error\":\"missing_scope\",\"requestId\":\"r-9\"}");
        StepVerifier.create(caracal.spawn(context -> Mono.just(1)))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(caracal.spawn(context -> Mono.just(2)))
                .expectNext(2)
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(Mono.when(completed, caracal.disposeLater()))
                .expectComplete()
                .verify(LIMIT);
        assertThat(events)
                .filteredOn(TokenExchange.class::isInstance)
                .extracting(e -> ((TokenExchange) e).cache())
                .startsWith(TokenExchange.Cache.MISS)
                .contains(TokenExchange.Cache.HIT);
        assertThat(events).filteredOn(CoordinatorCall.class::isInstance).hasSize(4);
        assertThat(events)
                .filteredOn(SessionOpened.class::isInstance)
                .hasSize(2)
                .allSatisfy(e -> {
                    assertThat(e.completion().outcome()).isEqualTo(Outcome.SUCCESS);
                    assertThat(e.completion().status()).isEqualTo(201);
                });
        assertThat(events)
                .filteredOn(e -> e instanceof SessionClosed closed
                        && closed.agentSessionId().equals("session-1"))
                .singleElement()
                .satisfies(e -> {
                    assertThat(e.completion().outcome()).isEqualTo(Outcome.FAILURE);
                    assertThat(e.completion().status()).isEqualTo(403);
                    assertThat(e.completion().code()).isEqualTo("missing_scope");
                    assertThat(e.completion().requestId()).isEqualTo("r-9");
                });
        assertThat(events.toString()).doesNotContain("token-1").doesNotContain("the-client-secret");
        listener.dispose();
    }

    @Test
    void aSlowOrFailingListenerDisturbsNothing() {
        Caracal caracal = platform.client();
        CountDownLatch gate = new CountDownLatch(1);
        AtomicInteger heard = new AtomicInteger();
        Disposable failing = caracal.onEvent(event -> {
            heard.incrementAndGet();
            throw new IllegalStateException("listener");
        });
        Disposable slow = caracal.events()
                .publishOn(Schedulers.boundedElastic())
                .subscribe(event -> {
                    try {
                        gate.await();
                    } catch (InterruptedException e) {
                        Thread.currentThread().interrupt();
                    }
                });
        StepVerifier.create(Flux.range(0, 2_000)
                        .concatMap(i -> caracal.spawn(context -> Mono.just(i)))
                        .count())
                .expectNext(2_000L)
                .expectComplete()
                .verify(LIMIT);
        gate.countDown();
        slow.dispose();
        StepVerifier.create(Mono.fromSupplier(heard::get)
                        .filter(n -> n > 1)
                        .repeatWhenEmpty(500, n -> n.delayElements(Duration.ofMillis(10))))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        failing.dispose();
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
    }

    @Test
    void withoutATransportTheErrorNamesTheArtifact() {
        CaracalConfig config = CaracalConfig.builder()
                .zoneId("zone-1")
                .applicationId("app-1")
                .clientSecret("s")
                .build();
        assertThatThrownBy(() -> Caracal.create(config))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("caracal-netty-transport");
    }

    /** create() may block, so it fails on a non-blocking thread. */
    @Test
    void createOnAnEventLoopFailsAndNamesLoad() {
        StepVerifier.create(Mono.fromCallable(Caracal::create).subscribeOn(Schedulers.parallel()))
                .expectErrorSatisfies(e ->
                        assertThat(e).isInstanceOf(IllegalStateException.class).hasMessageContaining("load()"))
                .verify(LIMIT);
    }

    /** Events of many threads at once take turns, and none ever becomes the error of an operation. */
    @Test
    @Tag("soak")
    void parallelOperationsAreNotDisturbedByTheirEvents() {
        int operations = Effort.of(4_000, 20_000);
        Caracal caracal = platform.client();
        AtomicInteger heard = new AtomicInteger();
        Disposable one = caracal.onEvent(event -> heard.incrementAndGet());
        Disposable two = caracal.onEvent(event -> heard.incrementAndGet());
        StepVerifier.create(Mono.delay(Duration.ofMillis(1_200))
                        .thenMany(Flux.range(0, operations)
                                .flatMap(
                                        i -> caracal.spawn(context -> Mono.just(i))
                                                .subscribeOn(Schedulers.boundedElastic()),
                                        16))
                        .count())
                .expectNext((long) operations)
                .expectComplete()
                .verify(Duration.ofSeconds(60));
        assertThat(platform.live()).isEmpty();
        assertThat(heard).hasPositiveValue();
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        one.dispose();
        two.dispose();
    }

    @Test
    void afterTheCloseEventsComplete() {
        Caracal caracal = platform.client();
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        StepVerifier.create(caracal.events()).expectComplete().verify(LIMIT);
        assertThat(caracal.onEvent(event -> {}).isDisposed()).isTrue();
    }

    @Test
    void nothingIsSentAfterTheCloseOnATransportOfTheCallers() {
        Caracal caracal = Caracal.create(
                platform.config().disposeTimeout(Duration.ofMillis(50)).build());
        Sinks.Empty<Void> gate = Sinks.empty();
        platform.next(
                FakePlatform::isTerminate,
                real -> gate.asMono().then(Mono.just(FakePlatform.answer(503, "{\"error\":\"unavailable\"}"))));
        SpawnOptions brief =
                SpawnOptions.builder().closeTimeout(Duration.ofMillis(10)).build();
        StepVerifier.create(caracal.spawn(brief, context -> Mono.just(1)))
                .expectNext(1)
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        int sent = platform.requests(r -> true).size();
        gate.tryEmitEmpty().orThrow();
        StepVerifier.create(Mono.delay(Duration.ofMillis(600)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        assertThat(platform.requests(r -> true))
                .as("no retry of the termination")
                .hasSize(sent);
    }

    @Test
    void aContextOfAnotherClientIsRefused() {
        Caracal one = platform.client();
        FakePlatform elsewhere = new FakePlatform();
        Caracal other = Caracal.create(elsewhere.config().applicationId("app-2").build());
        StepVerifier.create(one.spawn(context -> other.spawn(child -> Mono.just(1))))
                .expectError(ForeignContextException.class)
                .verify(LIMIT);
        StepVerifier.create(one.spawn(context -> other.headers()))
                .expectError(ForeignContextException.class)
                .verify(LIMIT);
        StepVerifier.create(one.spawn(context -> Mono.deferContextual(
                        view -> other.outbound().resolve(FakePlatform.BILLING + "/charge", null, view))))
                .expectError(ForeignContextException.class)
                .verify(LIMIT);
        assertThat(elsewhere.requests(r -> true)).isEmpty();
        StepVerifier.create(Mono.when(one.disposeLater(), other.disposeLater()))
                .expectComplete()
                .verify(LIMIT);
    }
}
