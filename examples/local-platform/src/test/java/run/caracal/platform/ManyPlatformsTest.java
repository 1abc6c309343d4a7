package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.Caracal;
import run.caracal.FetchRequest;
import run.caracal.error.CaracalException;
import run.caracal.test.Effort;

/** Closed platforms leave no threads, connections and memory. */
final class ManyPlatformsTest {

    private static final Duration LIMIT = Duration.ofSeconds(10);

    @ParameterizedTest
    @Tag("soak")
    @ValueSource(booleans = {true, false})
    void startAtOnceAndLeaveNoThreadAndNoSocket(boolean inProcess) {
        Set<Thread> before = Thread.getAllStackTraces().keySet();
        Duration quickest = LIMIT;
        for (int i = 0; i < Effort.of(20, 100); i++) {
            long begun = System.nanoTime();
            LocalPlatform.Builder builder = LocalPlatform.builder();
            LocalPlatform platform = (inProcess ? builder.inProcess() : builder).start();
            Duration start = Duration.ofNanos(System.nanoTime() - begun);
            quickest = start.compareTo(quickest) < 0 ? start : quickest;
            StepVerifier.create(platform.disposeLater()).expectComplete().verify(LIMIT);
            StepVerifier.create(platform.disposeLater())
                    .as("closed twice")
                    .expectComplete()
                    .verify(LIMIT);
            if (!inProcess) {
                assertNobodyListens(platform);
            }
        }
        assertThat(threadsSince(before)).isEmpty();
        // The fastest of many, because the others may have waited for a processor.
        assertThat(quickest).isLessThan(Duration.ofMillis(300));
    }

    /** In-flight calls end with an answer or a typed error, and do not delay the close. */
    @Test
    void aPlatformThatIsClosedUnderLoadEndsEveryCall() {
        Set<Thread> before = Thread.getAllStackTraces().keySet();
        LocalPlatform platform = LocalPlatform.builder()
                .limits(PlatformLimits.builder()
                        .coordinatorRequestsPerMinute(1_000_000)
                        .mintsPerMinute(1_000_000)
                        .build())
                .start();
        Caracal caracal = Caracal.create(platform.config()
                .mutate()
                .stsTimeout(Duration.ofSeconds(1))
                .coordinatorTimeout(Duration.ofSeconds(1))
                .closeTimeout(Duration.ofSeconds(1))
                .disposeTimeout(Duration.ofSeconds(1))
                .build());
        FetchRequest charge = FetchRequest.builder(platform.resourceId(), "/charge")
                .json("{\"amount\": 1200}")
                .build();
        AtomicInteger answered = new AtomicInteger();
        Queue<Throwable> failures = new ConcurrentLinkedQueue<>();
        Flux<Integer> load = Flux.range(0, Integer.MAX_VALUE)
                .takeWhile(i -> !platform.isDisposed())
                .flatMap(
                        i -> caracal.spawn(session -> caracal.fetch(charge))
                                .map(response -> answered.incrementAndGet())
                                .onErrorResume(e -> {
                                    failures.add(e);
                                    return Mono.empty();
                                }),
                        32);
        Flux<Integer> shared = load.publish().refCount(2);
        StepVerifier.create(shared.then()
                        .and(shared.filter(count -> count >= 50).next().then(platform.disposeLater())))
                .expectComplete()
                .verify(LIMIT.multipliedBy(2));
        assertThat(answered).hasValueGreaterThanOrEqualTo(50);
        assertThat(failures).allSatisfy(e -> assertThat(e).isInstanceOf(CaracalException.class));
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(threadsSince(before)).isEmpty();
    }

    private static void assertNobodyListens(LocalPlatform platform) {
        assertThat(List.of(platform.stsUrl(), platform.coordinatorUrl(), platform.gatewayUrl(), platform.upstreamUrl()))
                .allSatisfy(url -> assertThatThrownBy(() -> new Socket(
                                        InetAddress.getLoopbackAddress(),
                                        URI.create(url).getPort())
                                .close())
                        .isInstanceOf(ConnectException.class));
    }

    private static List<String> threadsSince(Set<Thread> before) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.isAlive() && !before.contains(thread))
                .map(Thread::getName)
                .filter(name -> name.startsWith("local-platform") || name.startsWith("caracal-http"))
                .toList();
    }
}
