package run.caracal.platform;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.CountDownLatch;

/**
 * Runs the local platform as a program of its own, for clients outside this JVM: prints what they need as shell
 * {@code export} lines, and stays up until it is told to end (SIGTERM or SIGINT).
 *
 * <p>The system property {@code platform.ports=standard} makes it listen where clients look by default.
 */
public final class LocalPlatformProgram {

    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

    private LocalPlatformProgram() {}

    /**
     * Runs until the JVM is told to end.
     *
     * @param args ignored
     */
    public static void run(String... args) {
        Ports ports = "standard".equals(System.getProperty("platform.ports")) ? Ports.standard() : Ports.free();
        LocalPlatform platform = LocalPlatform.builder().ports(ports).start();
        Path directory = temporaryDirectory();
        Path profile = platform.writeProfile(directory);
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(platform, profile, directory, ended)));

        Map<String, String> environment = new LinkedHashMap<>();
        environment.put("CARACAL_CONFIG", profile.toString());
        platform.environment().forEach((name, value) -> {
            if (name.equals("CARACAL_APP_CLIENT_SECRET")) {
                environment.put(
                        name + "_FILE", directory.resolve(Profile.SECRET_NAME).toString());
            } else {
                environment.put(name, value);
            }
        });
        environment.forEach((name, value) -> System.out.println("export " + name + "='" + value + "'"));
        System.out.println("# audit log: " + platform.auditUrl() + "/audit?request_id=<id>");
        System.out.println("# the platform is up; end it with Ctrl-C");
        System.out.flush();
        awaitEnd(ended);
    }

    private static void awaitEnd(CountDownLatch ended) {
        try {
            ended.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void close(LocalPlatform platform, Path profile, Path directory, CountDownLatch ended) {
        try {
            Files.deleteIfExists(profile);
            Files.deleteIfExists(directory.resolve(Profile.SECRET_NAME));
            Files.deleteIfExists(directory);
            platform.disposeLater().block(CLOSE_TIMEOUT);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            ended.countDown();
        }
    }

    private static Path temporaryDirectory() {
        try {
            return Files.createTempDirectory("caracal-local-platform");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
