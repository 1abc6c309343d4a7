package run.caracal.platform.junit;

import java.time.Duration;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Supplier;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ExtensionContext.Namespace;
import org.junit.jupiter.api.extension.ExtensionContext.Store;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.platform.commons.support.AnnotationSupport;
import reactor.core.publisher.Flux;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.SessionSnapshot;
import run.caracal.platform.junit.CaracalPlatform.Lifetime;

/**
 * Does the same as {@link CaracalPlatform}, for a platform that you configure in code:
 *
 * <pre>
 * &#64;RegisterExtension
 * static final CaracalPlatformExtension caracal = CaracalPlatformExtension.builder()
 *         .platform(platform -> platform.zone("zone-test"))
 *         .build();
 *
 * &#64;DynamicPropertySource
 * static void properties(DynamicPropertyRegistry registry) {
 *     caracal.properties(registry::add);
 * }
 * </pre>
 *
 * <p>In a static field the platform lives as long as the class, or the run; in an instance field as long as one test. It starts
 * on first use, so that Spring may read its properties before the first test. With a field of a base class, each subclass has
 * its own platform, unless the lifetime is the run.
 */
public final class CaracalPlatformExtension
        implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback, ParameterResolver {

    private static final Namespace NAMESPACE = Namespace.create(CaracalPlatformExtension.class);
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(15);

    /** A cancelled pipeline terminates its session after the test. */
    private static final Duration GRACE = Duration.ofSeconds(1);

    private static final Duration LOOK_AGAIN = Duration.ofMillis(10);

    private final @Nullable Settings registered;
    private @Nullable Running running;

    private record Settings(
            Consumer<LocalPlatform.Builder> platform, Lifetime lifetime, boolean reset, boolean failOnOpenSessions) {

        static Settings of(CaracalPlatform annotation) {
            return new Settings(
                    builder -> {
                        if (!annotation.setup().isEmpty()) {
                            LocalPlatform.Builder unused = builder.setup(annotation.setup());
                        }
                    },
                    annotation.lifetime(),
                    annotation.reset(),
                    annotation.failOnOpenSessions());
        }
    }

    /** The extension behind {@link CaracalPlatform}. */
    public CaracalPlatformExtension() {
        this.registered = null;
    }

    private CaracalPlatformExtension(Builder builder) {
        this.registered = new Settings(builder.platform, builder.lifetime, builder.reset, builder.failOnOpenSessions);
    }

    /** {@return a builder with the defaults of {@link CaracalPlatform}} */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * {@return the platform, started if it is not running} Blocks until then.
     *
     * @throws IllegalStateException if the extension is that of an annotation: inject the platform instead
     */
    public LocalPlatform platform() {
        if (registered == null) {
            throw new IllegalStateException("@CaracalPlatform has no extension to ask: inject a LocalPlatform");
        }
        return running(registered).platform;
    }

    /**
     * Registers the {@code caracal.*} properties of a Spring Boot application, see {@link LocalPlatform#properties}. Starts the
     * platform if it is not running.
     *
     * @param registry receives the name of each property, and a supplier of its value
     */
    public void properties(BiConsumer<String, Supplier<Object>> registry) {
        platform().properties(registry);
    }

    @Override
    public void beforeAll(ExtensionContext context) {
        Running unused = running(context);
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        Running current = running(context);
        if (settings(context).reset()) {
            current.platform.reset();
        }
        context.getStore(NAMESPACE)
                .put(
                        Opened.class,
                        new Opened(current.platform.sessions().stream()
                                .map(SessionSnapshot::id)
                                .collect(Collectors.toSet())));
    }

    @Override
    public void afterEach(ExtensionContext context) {
        LocalPlatform platform = running(context).platform;
        if (context.getExecutionException().isPresent()) {
            // Surefire and the IDEs show the output of a failed test; not all of them show report entries.
            System.err.println(Trail.of(context.getDisplayName(), platform));
            if (settings(context).reset()) {
                // Stalled requests would delay the close of the client.
                platform.reset();
            }
            return;
        }
        if (settings(context).failOnOpenSessions()) {
            Opened before = Objects.requireNonNull(
                    context.getStore(NAMESPACE).get(Opened.class, Opened.class), "no test was begun");
            List<SessionSnapshot> open = stillOpen(platform, before.ids());
            if (!open.isEmpty()) {
                throw new AssertionError(Trail.leak(open));
            }
        }
    }

    private static List<SessionSnapshot> stillOpen(LocalPlatform platform, Set<String> before) {
        List<SessionSnapshot> open = Flux.interval(Duration.ZERO, LOOK_AGAIN)
                .onBackpressureDrop()
                .map(tick -> platform.sessions().stream()
                        .filter(session -> !before.contains(session.id()))
                        .toList())
                .takeUntil(List::isEmpty)
                .take(GRACE)
                .blockLast();
        return open == null ? List.of() : open;
    }

    @Override
    public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
        Class<?> type = parameter.getParameter().getType();
        return type == LocalPlatform.class || type == CaracalConfig.class || type == Caracal.class;
    }

    @Override
    public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
        LocalPlatform platform = running(context).platform;
        Class<?> type = parameter.getParameter().getType();
        if (type == LocalPlatform.class) {
            return platform;
        }
        return type == CaracalConfig.class
                ? platform.config()
                : context.getStore(NAMESPACE)
                        .computeIfAbsent(
                                List.of(Client.class, context.getUniqueId()),
                                key -> new Client(Caracal.create(platform.config())),
                                Client.class)
                        .caracal();
    }

    /** The platform of these tests, closed with the context that used it first. */
    private Running running(ExtensionContext context) {
        Settings settings = settings(context);
        Store store = (settings.lifetime() == Lifetime.RUN ? context.getRoot() : context).getStore(NAMESPACE);
        if (registered == null) {
            return store.computeIfAbsent(annotation(context), key -> new Running(settings), Running.class);
        }
        return store.computeIfAbsent(this, key -> running(settings), Running.class);
    }

    private synchronized Running running(Settings settings) {
        Running current = running;
        if (current == null || current.platform.isDisposed()) {
            current = new Running(settings);
            running = current;
        }
        return current;
    }

    private Settings settings(ExtensionContext context) {
        return registered == null ? Settings.of(annotation(context)) : registered;
    }

    /** The annotation of the class or of an enclosing one. */
    private static CaracalPlatform annotation(ExtensionContext context) {
        Class<?> type = context.getRequiredTestClass();
        for (Class<?> at = type; at != null; at = at.getEnclosingClass()) {
            var found = AnnotationSupport.findAnnotation(at, CaracalPlatform.class);
            if (found.isPresent()) {
                return found.get();
            }
        }
        throw new IllegalStateException(type.getName() + " is extended with CaracalPlatformExtension but has no "
                + "@CaracalPlatform: use the annotation, or register an extension of the builder");
    }

    /** The sessions that were open before a test. */
    private record Opened(Set<String> ids) {}

    /** A platform that the store of a context closes. */
    private static final class Running implements AutoCloseable {
        private final LocalPlatform platform;

        Running(Settings settings) {
            LocalPlatform.Builder builder = LocalPlatform.builder();
            settings.platform().accept(builder);
            this.platform = builder.start();
        }

        @Override
        public void close() {
            var unused = platform.disposeLater().blockOptional(CLOSE_TIMEOUT);
        }
    }

    /** A client that the store of a context closes before the platform. */
    private record Client(Caracal caracal) implements AutoCloseable {
        @Override
        public void close() {
            var unused = caracal.disposeLater().blockOptional(CLOSE_TIMEOUT);
        }
    }

    /** The settings of an extension. */
    public static final class Builder {

        private Consumer<LocalPlatform.Builder> platform = builder -> {};
        private Lifetime lifetime = Lifetime.CLASS;
        private boolean reset = true;
        private boolean failOnOpenSessions = true;

        private Builder() {}

        /**
         * Configures each platform before it starts.
         */
        public Builder platform(Consumer<LocalPlatform.Builder> settings) {
            this.platform = settings;
            return this;
        }

        /** Sets the lifetime of the platform; {@link Lifetime#CLASS} by default. */
        public Builder lifetime(Lifetime value) {
            this.lifetime = value;
            return this;
        }

        /**
         * Sets whether the platform is reset before each test; true by default; false for an application that keeps
         * sessions across tests.
         */
        public Builder reset(boolean value) {
            this.reset = value;
            return this;
        }

        /**
         * Sets whether a test fails if it leaves sessions open; true by default; false for an application that keeps
         * sessions across tests.
         */
        public Builder failOnOpenSessions(boolean value) {
            this.failOnOpenSessions = value;
            return this;
        }

        /** {@return the extension, which starts nothing yet} */
        public CaracalPlatformExtension build() {
            return new CaracalPlatformExtension(this);
        }
    }
}
