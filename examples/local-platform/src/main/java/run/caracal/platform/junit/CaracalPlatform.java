package run.caracal.platform.junit;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Inherited;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.api.extension.ExtendWith;
import org.junit.jupiter.api.parallel.Execution;
import org.junit.jupiter.api.parallel.ExecutionMode;

/**
 * Gives the tests of a class a local Caracal platform on free ports.
 *
 * <pre>
 * &#64;CaracalPlatform
 * class BillingTest {
 *     &#64;Test
 *     void charges(Caracal caracal, LocalPlatform platform) { ... }
 * }
 * </pre>
 *
 * <p>Constructors, lifecycle and test methods may have parameters of the types {@code LocalPlatform}, {@code CaracalConfig} and
 * {@code Caracal}. A {@code Caracal} is closed after its method, or after the class if a constructor or {@code @BeforeAll} has
 * it. The platform is reset before each test. A test that leaves sessions open fails, and the audit trail of a failed test is
 * printed. Tests of the class run one after another, because they share the platform's state.
 *
 * <p>For any other platform register a {@link CaracalPlatformExtension}.
 */
@Documented
@Inherited
@Target(ElementType.TYPE)
@Retention(RetentionPolicy.RUNTIME)
@ExtendWith(CaracalPlatformExtension.class)
@Execution(ExecutionMode.SAME_THREAD)
public @interface CaracalPlatform {

    /**
     * {@return the lifetime of the platform: the class, or the whole run, shared by all classes with an equal
     * annotation}
     */
    Lifetime lifetime() default Lifetime.CLASS;

    /**
     * {@return a TOML file on the class path or in the working directory, see {@code LocalPlatform.Builder.setup}; none
     * by default}
     */
    String setup() default "";

    /**
     * {@return whether the platform is reset before each test; false for an application that keeps sessions across
     * tests}
     */
    boolean reset() default true;

    /**
     * {@return whether a test fails if it leaves sessions open; false for an application that keeps sessions across
     * tests}
     */
    boolean failOnOpenSessions() default true;

    /** The lifetime of a platform. */
    enum Lifetime {
        /** Until the last test of the outermost class with the annotation. */
        CLASS,
        /** Until the last test of the run. */
        RUN
    }
}
