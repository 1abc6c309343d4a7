package run.caracal.config;

import java.nio.file.Path;
import java.util.Objects;
import reactor.core.publisher.Mono;

/**
 * Finds the client secret of the application.
 *
 * <p>It is asked anew whenever a token must be exchanged, so a rotated secret needs no restart. It may be asked on any
 * thread, an event loop included: what blocks belongs on {@link reactor.core.scheduler.Schedulers#boundedElastic()}. What
 * it emits is never logged and never kept longer than the exchange; what it signals as an error is what the exchange fails
 * with. One that gives nothing within 30 seconds is cancelled and fails the exchange; the next exchange asks anew. Its own {@code toString} must not show the secret.
 */
@FunctionalInterface
public interface ClientSecretResolver {

    /**
     * Finds the secret.
     *
     * @return exactly one secret, when subscribed; or an error
     */
    Mono<String> resolve();

    /**
     * A secret that never changes.
     *
     * @param secret the client secret, neither blank nor with control or invisible characters in it
     * @throws IllegalArgumentException when the secret cannot be one; the message does not hold it
     */
    static ClientSecretResolver of(String secret) {
        return ClientSecrets.fixed(Objects.requireNonNull(secret, "secret"));
    }

    /**
     * A secret in a file, which is read each time, on {@link reactor.core.scheduler.Schedulers#boundedElastic()}. White
     * space around it and a byte order mark are removed. On POSIX file systems only the owner may have access to the
     * file; under a read-only mount others may read it too.
     *
     * <p>What is wrong with the file is signalled as a {@link run.caracal.error.ConfigurationException} that names the
     * file and the remedy.
     *
     * @param file the file, at most 64 KiB of UTF-8
     */
    static ClientSecretResolver file(Path file) {
        return ClientSecrets.file(Objects.requireNonNull(file, "file"), false);
    }

    /**
     * As {@link #file}, for a file that a deployment mounts so that its group or everybody can read it, as Docker secrets
     * and the {@code fsGroup} of Kubernetes do. None but the owner may be able to write it.
     *
     * @param file the file, at most 64 KiB of UTF-8
     */
    static ClientSecretResolver groupReadableFile(Path file) {
        return ClientSecrets.file(Objects.requireNonNull(file, "file"), true);
    }
}
