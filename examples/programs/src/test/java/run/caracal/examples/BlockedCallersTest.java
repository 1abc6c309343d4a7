package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.channel.EventLoop;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.HttpResources;
import reactor.netty.resources.LoopResources;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.ServiceAgent;
import run.caracal.ServiceOptions;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.Service;

/** Code of users that blocks every event loop which it runs on delays neither a lease nor a termination. */
class BlockedCallersTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final Duration TICK = Duration.ofMillis(10);

    private final LocalPlatform platform = LocalPlatform.builder().start();
    private final Caracal caracal = Caracal.create(Deployment.connected(platform)
            .resource(platform.resourceId(), platform.upstreamUrl())
            .build());
    private final List<String> threads = new CopyOnWriteArrayList<>();
    private final Sinks.Empty<Void> start = Sinks.empty();
    private final Set<Thread> blocked = ConcurrentHashMap.newKeySet();
    private final AtomicBoolean released = new AtomicBoolean();
    private Disposable users = Disposables.disposed();

    @AfterEach
    void stop() {
        released.set(true);
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(users.isDisposed()).isTrue();
        assertThat(platform.openSessionCount()).isZero();
        StepVerifier.create(platform.disposeLater()).expectComplete().verify(LIMIT);
    }

    @Test
    void neitherInTheWorkOfASession() {
        leasesAndTerminationsGoOnBeside(loop -> caracal.spawn(own -> blocking(loop)));
    }

    @Test
    void norBehindItsEnd() {
        leasesAndTerminationsGoOnBeside(
                loop -> caracal.spawn(own -> Mono.just(1)).flatMap(result -> blocking(loop)));
    }

    private void leasesAndTerminationsGoOnBeside(Function<EventLoop, Mono<Void>> user) {
        Disposable held = caracal.spawn(session -> Mono.never()).subscribe();
        await("the session is open", () -> platform.openSessionCount() == 1);
        ServiceAgent agent = Objects.requireNonNull(caracal.spawnService(ServiceOptions.builder()
                        .heartbeatInterval(Duration.ofSeconds(1))
                        .build())
                .block(LIMIT));
        blockAllLoops(user);
        int open = platform.openSessionCount();

        long before = renewals(agent);
        await("the lease is renewed", () -> renewals(agent) >= before + 2);
        held.dispose();
        await("the session is terminated", () -> platform.openSessionCount() == open - 1);
        StepVerifier.create(agent.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.openSessionCount()).isEqualTo(open - 2);
        assertThat(released).isFalse();
    }

    private void blockAllLoops(Function<EventLoop, Mono<Void>> user) {
        List<EventLoop> loops = new ArrayList<>();
        HttpResources.get().onClient(LoopResources.DEFAULT_NATIVE).forEach(loop -> loops.add((EventLoop) loop));
        users = Flux.fromIterable(loops).flatMap(user, loops.size()).subscribe();
        await("the code of all users runs", () -> threads.size() == loops.size());
        assertThat(threads).allMatch(name -> name.startsWith("reactor-http"));
        start.tryEmitEmpty().orThrow();
        await("all loops are blocked", () -> blocked.size() == loops.size());
    }

    private Mono<Void> blocking(EventLoop loop) {
        return Mono.defer(() -> {
            threads.add(Thread.currentThread().getName());
            return start.asMono().publishOn(Schedulers.fromExecutor(loop)).then(Mono.fromRunnable(() -> {
                blocked.add(Thread.currentThread());
                while (!released.get()) {} // anything better would be noticed as blocking
            }));
        });
    }

    private long renewals(ServiceAgent agent) {
        return platform.received(Service.COORDINATOR).stream()
                .filter(r -> r.uri().endsWith(agent.agentSessionId() + "/heartbeat"))
                .count();
    }

    private static void await(String what, BooleanSupplier condition) {
        StepVerifier.create(Mono.fromSupplier(condition::getAsBoolean)
                        .filter(done -> done)
                        .repeatWhenEmpty(tries -> tries.delayElements(TICK))
                        .timeout(LIMIT, Mono.error(() -> new AssertionError("not in time: " + what))))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT.multipliedBy(2));
    }
}
