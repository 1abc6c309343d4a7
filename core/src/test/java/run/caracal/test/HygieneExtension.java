package run.caracal.test;

import java.lang.reflect.Field;
import java.lang.reflect.InvocationTargetException;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.extension.AfterAllCallback;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeAllCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import reactor.blockhound.BlockHound;
import reactor.core.publisher.Hooks;

/**
 * Registered for all tests: fails a test that blocked a non-blocking thread or let Reactor drop an error, and a test class
 * that leaked a Netty buffer, where Netty is on the class path and its
 * {@code io.netty.util.LeakPresenceDetector} is configured. See {@link Hygiene} for tests that expect such things.
 */
public final class HygieneExtension
        implements BeforeAllCallback, BeforeEachCallback, AfterEachCallback, AfterAllCallback {
    private static final String DETECTOR = "io.netty.util.LeakPresenceDetector";
    private static final Duration RELEASE_TIME = Duration.ofSeconds(5);

    // Here and not in a listener of the platform, which Surefire also loads into Maven's own process.
    static {
        BlockHound.install();
    }

    /** For {@link java.util.ServiceLoader}. */
    public HygieneExtension() {}

    @Override
    public void beforeAll(ExtensionContext context) {
        listen();
    }

    @Override
    public void beforeEach(ExtensionContext context) {
        listen();
    }

    /** Reactor chains a hook that is set twice, and StepVerifier's own recording removes ours when it ends. */
    private static void listen() {
        Hooks.resetOnErrorDropped();
        Hooks.onErrorDropped(Hygiene::dropped);
    }

    @Override
    public void afterEach(ExtensionContext context) {
        check(context.getDisplayName());
    }

    @Override
    public void afterAll(ExtensionContext context) {
        check(context.getDisplayName());
        checkBuffers(context.getDisplayName());
    }

    static void check(String name) {
        List<Throwable> blocking = Hygiene.takeBlockingCalls();
        fail(name + " blocked a thread that must not block: " + blocking, blocking);
        List<Hygiene.Drop> drops = Hygiene.takeDrops();
        fail(
                name + " let Reactor drop an error: " + drops,
                drops.stream().map(Hygiene.Drop::error).toList());
    }

    private static void fail(String message, List<Throwable> errors) {
        if (!errors.isEmpty()) {
            AssertionError failure = new AssertionError(message);
            errors.forEach(failure::addSuppressed);
            throw failure;
        }
    }

    /** Buffers are counted, not sampled; those in flight get a moment to be released. */
    static void checkBuffers(String name) {
        if (!DETECTOR.equals(System.getProperty("io.netty.customResourceLeakDetector"))) {
            return;
        }
        try {
            Class<?> detector = Class.forName(DETECTOR);
            Field scopes = detector.getDeclaredField("GLOBAL");
            scopes.setAccessible(true);
            Object scope = scopes.get(null);
            long end = System.nanoTime() + RELEASE_TIME.toNanos();
            while ((boolean) scope.getClass().getMethod("hasOpenResources").invoke(scope) && System.nanoTime() < end) {
                LockSupport.parkNanos(1_000_000);
            }
            detector.getMethod("check").invoke(null);
        } catch (ClassNotFoundException e) {
            return; // no Netty here
        } catch (InvocationTargetException e) {
            throw new AssertionError(name + " leaked a Netty buffer", e.getCause());
        } catch (ReflectiveOperationException e) {
            throw new LinkageError("Netty's leak detector has changed", e);
        }
    }
}
