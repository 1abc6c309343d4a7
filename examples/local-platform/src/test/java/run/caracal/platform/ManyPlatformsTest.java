package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.ConnectException;
import java.net.InetAddress;
import java.net.Socket;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.test.StepVerifier;

/** Platforms come and go, and nothing of them stays. */
final class ManyPlatformsTest {

    private static final int PLATFORMS = 100;

    @ParameterizedTest
    @ValueSource(booleans = {true, false})
    void aHundredLeaveNoThreadAndNoSocket(boolean inProcess) {
        Set<Thread> before = Thread.getAllStackTraces().keySet();
        Duration quickest = Duration.ofDays(1);
        for (int i = 0; i < PLATFORMS; i++) {
            long begun = System.nanoTime();
            LocalPlatform.Builder builder = LocalPlatform.builder();
            LocalPlatform platform = (inProcess ? builder.inProcess() : builder).start();
            Duration start = Duration.ofNanos(System.nanoTime() - begun);
            quickest = start.compareTo(quickest) < 0 ? start : quickest;
            StepVerifier.create(platform.disposeLater()).expectComplete().verify(Duration.ofSeconds(10));
            StepVerifier.create(platform.disposeLater())
                    .as("closed twice")
                    .expectComplete()
                    .verify(Duration.ofSeconds(10));
            if (!inProcess) {
                int port = URI.create(platform.stsUrl()).getPort();
                assertThatThrownBy(() -> new Socket(InetAddress.getLoopbackAddress(), port).close()).isInstanceOf(ConnectException.class);
            }
        }
        assertThat(threadsSince(before)).isEmpty();
        // The quickest of many: the others may have had to wait for a processor.
        assertThat(quickest).isLessThan(Duration.ofMillis(300));
    }

    private static List<String> threadsSince(Set<Thread> before) {
        return Thread.getAllStackTraces().keySet().stream()
                .filter(thread -> thread.isAlive() && !before.contains(thread))
                .map(Thread::getName)
                .filter(name -> name.startsWith("local-platform") || name.startsWith("caracal-http"))
                .toList();
    }
}
