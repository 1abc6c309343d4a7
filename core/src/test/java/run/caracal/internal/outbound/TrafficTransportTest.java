package run.caracal.internal.outbound;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.error.ClosedException;
import run.caracal.http.HttpTransport;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.test.FakePlatform;

/** The connections of the calls that the SDK sends for its users. */
class TrafficTransportTest {
    private final List<FakePlatform> made = new CopyOnWriteArrayList<>();
    private final List<Boolean> onNonBlockingThread = new CopyOnWriteArrayList<>();
    private final ClientState state = new ClientState();

    private HttpTransport make() {
        onNonBlockingThread.add(Schedulers.isInNonBlockingThread());
        FakePlatform transport = new FakePlatform();
        made.add(transport);
        return transport;
    }

    private TrafficTransport owned() {
        return TrafficTransport.made(this::make, state);
    }

    @Test
    void isMadeAtTheFirstUseOnceForAllAndOffTheEventLoop() {
        TrafficTransport transport = owned();
        StepVerifier.create(transport.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(made).isEmpty();
        Mono<Long> users = Flux.range(0, 100)
                .flatMap(i -> transport.get().subscribeOn(Schedulers.parallel()), 100)
                .distinct()
                .count();
        StepVerifier.create(users).expectNext(1L).expectComplete().verify(LIMIT);
        assertThat(made).hasSize(1);
        assertThat(onNonBlockingThread).containsExactly(false);
    }

    @Test
    void isReleasedWithTheClientWhenItIsItsOwn() {
        TrafficTransport transport = owned();
        StepVerifier.create(transport.get()).expectNextCount(1).expectComplete().verify(LIMIT);
        state.close();
        StepVerifier.create(transport.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(made)
                .singleElement()
                .satisfies(t -> assertThat(t.isDisposed()).isTrue());
        StepVerifier.create(transport.get()).expectError(ClosedException.class).verify(LIMIT);

        TrafficTransport given = TrafficTransport.given(make(), new ClientState());
        StepVerifier.create(given.get().then(given.disposeLater()))
                .expectComplete()
                .verify(LIMIT);
        assertThat(made.get(1).isDisposed()).isFalse();
    }

    @Test
    void aFailureIsNotKept() {
        AtomicBoolean fails = new AtomicBoolean(true);
        TrafficTransport transport = TrafficTransport.made(
                () -> {
                    if (fails.getAndSet(false)) {
                        throw new IllegalStateException("no memory");
                    }
                    return make();
                },
                state);
        StepVerifier.create(transport.get()).expectErrorMessage("no memory").verify(LIMIT);
        StepVerifier.create(transport.get()).expectNextCount(1).expectComplete().verify(LIMIT);
    }

    /** No transport stays behind if a caller cancels during its creation or the client is closed at any time. */
    @RepeatedTest(100)
    void aCloseThatRacesWithTheFirstUseLeavesNothing() {
        TrafficTransport transport = owned();
        Mono<HttpTransport> user = transport
                .get()
                .onErrorResume(ClosedException.class, refused -> Mono.empty())
                .subscribeOn(Schedulers.parallel())
                .cache();
        Disposable using = user.subscribe(t -> {}, failure -> {});
        state.close();
        StepVerifier.create(transport.disposeLater()).expectComplete().verify(LIMIT);
        StepVerifier.create(user.then()).expectComplete().verify(LIMIT);
        using.dispose();
        // A later use is rejected and creates no transport.
        StepVerifier.create(transport.get()).expectError(ClosedException.class).verify(LIMIT);
        assertThat(made).allMatch(FakePlatform::isDisposed);
    }
}
