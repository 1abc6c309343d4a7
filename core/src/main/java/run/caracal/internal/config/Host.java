package run.caracal.internal.config;

import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Clock;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * All that loading a configuration may know of the machine it runs on.
 *
 * @param userHome the home directory of the user, or empty
 */
public record Host(Map<String, String> variables, String userHome, String osName, Clock clock) {

    /** Copies the variables. */
    public Host {
        variables = Map.copyOf(variables);
    }

    /** This machine. */
    public static Host system() {
        return new Host(
                System.getenv(),
                System.getProperty("user.home", ""),
                System.getProperty("os.name", ""),
                Clock.systemUTC());
    }

    /** The default directory of the platform's profiles; {@code null} when the system does not tell of one. */
    @Nullable
    Path defaultDirectory() {
        Path own = absolute(variables.get("CARACAL_CONFIG_HOME"));
        if (own != null) {
            return own;
        }
        Path xdg = absolute(variables.get("XDG_CONFIG_HOME"));
        if (xdg != null) {
            return xdg.resolve("caracal");
        }
        String os = osName.toLowerCase(Locale.ROOT);
        if (os.startsWith("windows")) {
            Path roaming = absolute(variables.get("APPDATA"));
            return roaming == null ? null : roaming.resolve("Caracal");
        }
        Path home = absolute(userHome);
        if (home == null) {
            return null;
        }
        return os.startsWith("mac")
                ? home.resolve("Library").resolve("Application Support").resolve("Caracal")
                : home.resolve(".config").resolve("caracal");
    }

    /** A relative directory would make the working directory decide: it counts as unset. */
    static @Nullable Path absolute(@Nullable String value) {
        if (value == null || value.isEmpty()) {
            return null;
        }
        try {
            Path path = Path.of(value);
            return path.isAbsolute() ? path : null;
        } catch (InvalidPathException e) {
            return null;
        }
    }

    /** Names what loading used, and nothing that could be a secret. */
    @Override
    public String toString() {
        return "Host[" + osName + ']';
    }
}
