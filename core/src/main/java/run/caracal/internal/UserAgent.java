package run.caracal.internal;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.Properties;

/** The name under which the SDK calls the services of the platform. */
public final class UserAgent {
    /** The header. */
    public static final String HEADER = "User-Agent";

    /** Its value, such as {@code caracal-sdk-java/1.2.3}. Read once, from the jar: a manifest gets lost when jars are merged. */
    public static final String VALUE = "caracal-sdk-java/" + version();

    private UserAgent() {}

    private static String version() {
        Properties properties = new Properties();
        try (InputStream file = UserAgent.class.getResourceAsStream("version.properties")) {
            if (file != null) {
                properties.load(file);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        String version = properties.getProperty("version", "");
        // Classes that no build has made have the placeholder.
        return version.isEmpty() || version.startsWith("$") ? "dev" : version;
    }
}
