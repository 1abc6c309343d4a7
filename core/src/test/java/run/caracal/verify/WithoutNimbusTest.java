package run.caracal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.io.InputStream;
import java.lang.reflect.InvocationTargetException;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;

/** nimbus-jose-jwt is optional: without it all classes load, and code that needs it fails with its name. */
class WithoutNimbusTest {

    /** Sees all that this test sees but the library, and loads the SDK anew. */
    private static final class Hiding extends ClassLoader {
        Hiding() {
            super(WithoutNimbusTest.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            if (name.startsWith("com.nimbusds.")) {
                throw new ClassNotFoundException(name);
            }
            if (!name.startsWith("run.caracal.")) {
                return super.loadClass(name, resolve);
            }
            Class<?> loaded = findLoadedClass(name);
            return loaded != null ? loaded : define(name);
        }

        private Class<?> define(String name) throws ClassNotFoundException {
            try (@Nullable InputStream file = getResourceAsStream(name.replace('.', '/') + ".class")) {
                if (file == null) {
                    throw new ClassNotFoundException(name);
                }
                byte[] bytes = file.readAllBytes();
                return defineClass(name, bytes, 0, bytes.length);
            } catch (IOException e) {
                throw new ClassNotFoundException(name, e);
            }
        }
    }

    @Test
    void everythingElseLoads() throws ClassNotFoundException {
        Hiding loader = new Hiding();
        for (Class<?> type : List.of(
                Caracal.class,
                CaracalConfig.class,
                MandateVerifier.class,
                VerifiedMandate.class,
                MandateRequirements.class,
                InMemoryRevocationStore.class,
                JwksMandateVerifier.class,
                Jwks.class)) {
            Class<?> again = Class.forName(type.getName(), true, loader);
            assertThat(again.getClassLoader()).isSameAs(loader);
            assertThat(again.getDeclaredMethods()).isNotEmpty();
        }
    }

    @Test
    void aVerifierNamesTheMissingArtifactEachTime() throws ReflectiveOperationException {
        Class<?> type = Class.forName(JwksMandateVerifier.class.getName(), true, new Hiding());
        for (int i = 0; i < 2; i++) {
            Object builder = type.getMethod("builder").invoke(null);
            assertThatThrownBy(() -> builder.getClass().getMethod("build").invoke(builder))
                    .isInstanceOf(InvocationTargetException.class)
                    .cause()
                    .hasMessageContaining("com.nimbusds:nimbus-jose-jwt")
                    .hasMessageContaining("zoneId")
                    .extracting(e -> e.getClass().getName())
                    .isEqualTo("run.caracal.error.ConfigurationException");
        }
    }
}
