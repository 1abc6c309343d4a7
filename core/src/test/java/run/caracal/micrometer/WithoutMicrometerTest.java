package run.caracal.micrometer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.File;
import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.test.FakePlatform;

/** Micrometer is optional, its context propagation too; the core is loaded again without them. */
class WithoutMicrometerTest {
    /** The program that runs without Micrometer. */
    public static final class Program {
        private Program() {}

        /** Opens a session, listens to events, and closes. */
        public static String run() {
            FakePlatform platform = new FakePlatform();
            Caracal caracal = platform.client();
            var listening = caracal.onEvent(event -> {});
            String session = Objects.requireNonNull(
                    caracal.spawn(context -> caracal.current().map(CaracalContext::agentSessionId))
                            .block(FakePlatform.LIMIT));
            var unused = caracal.disposeLater().block(FakePlatform.LIMIT);
            listening.dispose();
            return session + " " + platform.live();
        }
    }

    private static URL url(String path) {
        try {
            return Path.of(path).toUri().toURL();
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }

    @Test
    void theCoreNeedsNeitherContextPropagationNorMeters() throws Exception {
        URL[] urls = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(it -> !it.contains("micrometer") && !it.contains("context-propagation"))
                .map(WithoutMicrometerTest::url)
                .toArray(URL[]::new);
        try (URLClassLoader loader = new URLClassLoader(urls, ClassLoader.getPlatformClassLoader())) {
            assertThatThrownBy(() -> loader.loadClass("io.micrometer.context.ContextRegistry"))
                    .isInstanceOf(ClassNotFoundException.class);
            assertThatThrownBy(() -> loader.loadClass("io.micrometer.core.instrument.MeterRegistry"))
                    .isInstanceOf(ClassNotFoundException.class);
            assertThat(loader.loadClass(Program.class.getName())
                            .getMethod("run")
                            .invoke(null))
                    .isEqualTo("session-1 []");
        }
    }
}
