package run.caracal.vectors;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ArgumentsSource;

/**
 * Runs a test method, which takes one {@link VectorCase}, for every case of a topic; each invocation is named
 * {@code topic/name}.
 */
@Target(ElementType.METHOD)
@Retention(RetentionPolicy.RUNTIME)
@ParameterizedTest(name = "{0}", allowZeroInvocations = true)
@ArgumentsSource(Vectors.class)
public @interface VectorTests {
    /** The topic, which is the name of the file without {@code .json}. */
    String value();
}
