package run.caracal.config;

import java.nio.file.Path;
import java.util.Objects;
import reactor.core.publisher.Mono;

/**
 * Resolves the client secret of the application.
 *
 * <p>The resolver is subscribed for each token exchange, so a rotated secret needs no restart. It may be subscribed on
 * an event loop: move blocking code to {@link reactor.core.scheduler.Schedulers#boundedElastic()}. The secret is never
 * logged, nor kept after the exchange; an error fails the exchange. A resolver that does not emit within 30 seconds is
 * cancelled, and that exchange fails. Its {@code toString} must not contain the secret.
 */
@FunctionalInterface
public interface ClientSecretResolver {

    /** {@return exactly one secret on subscription; or an error} */
    Mono<String> resolve();

    /**
     * {@return a resolver of a fixed secret}
     *
     * @param secret the client secret, not blank, without control or invisible characters
     * @throws IllegalArgumentException if the secret is malformed; the message does not contain it
     */
    static ClientSecretResolver of(String secret) {
        return ClientSecrets.fixed(Objects.requireNonNull(secret, "secret"));
    }

    /**
     * {@return a resolver that reads the secret from a file on each subscription, on
     * {@link reactor.core.scheduler.Schedulers#boundedElastic()}} Surrounding white space and a byte order mark are
     * removed. On POSIX file systems only the owner may have access, except on a read-only mount. Errors are signalled
     * as {@link run.caracal.error.ConfigurationException}, with the file and the remedy.
     *
     * @param file at most 64 KiB of UTF-8
     */
    static ClientSecretResolver file(Path file) {
        return ClientSecrets.file(Objects.requireNonNull(file, "file"), false);
    }

    /**
     * {@return a resolver like {@link #file} that allows read access for the group and for all, as Docker secrets and
     * the {@code fsGroup} of Kubernetes have} Only the owner may have write access.
     *
     * @param file at most 64 KiB of UTF-8
     */
    static ClientSecretResolver groupReadableFile(Path file) {
        return ClientSecrets.file(Objects.requireNonNull(file, "file"), true);
    }
}
