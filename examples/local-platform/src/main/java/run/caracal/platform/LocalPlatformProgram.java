package run.caracal.platform;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.concurrent.CountDownLatch;
import reactor.netty.DisposableServer;

/**
 * Runs the local platform as a standalone program, for clients in other processes: prints their {@code export} lines, and runs until
 * SIGTERM or SIGINT.
 *
 * <p>System properties are its options:
 *
 * <ul>
 *   <li>{@code platform.setup}: a TOML file with the set-up, see {@link LocalPlatform.Builder#setup};
 *       the others override it
 *   <li>{@code platform.ports=standard}: the default ports of clients, the console on port 8082 and the control
 *       address on port 8083
 *   <li>{@code platform.secret}: the client secret of {@code app-local}, if the file names no application; by default random
 *   <li>{@code platform.limits=off}: disables the limits on sessions, mints and requests
 * </ul>
 *
 * <p>{@code GET /state} at the printed control address lists the platform's state, {@code POST /reset} clears it.
 */
public final class LocalPlatformProgram {

    private static final int CONSOLE_PORT = 8082;
    private static final int CONTROL_PORT = 8083;
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(5);

    private LocalPlatformProgram() {}

    /**
     * Runs until SIGTERM or SIGINT.
     *
     * @throws IllegalArgumentException if an option or the file is invalid
     * @throws IllegalStateException if ports are taken
     */
    public static void run(String... args) {
        LocalPlatform platform = options(System.getProperties()).start();
        DisposableServer control = control(platform);
        Path directory = temporaryDirectory();
        Path profile = platform.writeProfile(directory);
        CountDownLatch ended = new CountDownLatch(1);
        Runtime.getRuntime().addShutdownHook(new Thread(() -> close(platform, control, profile, directory, ended)));

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
        System.out.println("# control: http://127.0.0.1:" + control.port() + " (GET /state, POST /reset)");
        platform.consoleUrl().ifPresent(url -> System.out.println("# console: " + url));
        System.out.println("# the platform is up; end it with Ctrl-C");
        System.out.flush();
        awaitEnd(ended);
    }

    /** The settings of the platform, from the options. */
    static LocalPlatform.Builder options(Properties properties) {
        LocalPlatform.Builder builder = LocalPlatform.builder();
        String setup = properties.getProperty("platform.setup", "");
        if (!setup.isEmpty()) {
            builder = builder.setup(setup);
        }
        String ports = option(properties, "platform.ports", "standard", "free");
        builder = builder.console(ports.equals("standard") ? CONSOLE_PORT : 0);
        if (!ports.isEmpty()) {
            builder = builder.ports(ports.equals("standard") ? Ports.standard() : Ports.free());
        }
        if (option(properties, "platform.limits", "on", "off").equals("off")) {
            builder = builder.limits(PlatformLimits.unlimited());
        }
        String secret = properties.getProperty("platform.secret", "");
        if (!secret.isEmpty()) {
            builder = builder.defaultSecret(secret);
        }
        return builder;
    }

    private static String option(Properties properties, String name, String... values) {
        String value = properties.getProperty(name, "");
        if (!value.isEmpty() && !List.of(values).contains(value)) {
            throw new IllegalArgumentException(
                    "-D" + name + "=" + value + " is not known: use one of " + List.of(values));
        }
        return value;
    }

    private static DisposableServer control(LocalPlatform platform) {
        int port = platform.hasPorts(Ports.standard()) ? CONTROL_PORT : 0;
        try {
            return Control.start(platform, port).blockOptional().orElseThrow();
        } catch (RuntimeException e) {
            platform.dispose();
            throw new IllegalStateException("The local platform cannot be controlled on port " + port, e);
        }
    }

    private static void awaitEnd(CountDownLatch ended) {
        try {
            ended.await();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void close(
            LocalPlatform platform, DisposableServer control, Path profile, Path directory, CountDownLatch ended) {
        try {
            control.dispose();
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
