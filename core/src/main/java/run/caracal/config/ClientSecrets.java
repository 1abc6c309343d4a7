package run.caracal.config;

import java.nio.file.Path;
import java.util.List;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import run.caracal.error.ConfigurationException;
import run.caracal.internal.config.CheckedSecret;
import run.caracal.internal.config.ConfigFiles;
import run.caracal.internal.config.Fault;
import run.caracal.internal.config.Rules;

/** The SDK's resolvers. They are classes, so that {@code toString} does not contain the secret. */
final class ClientSecrets {
    private ClientSecrets() {}

    static ClientSecretResolver fixed(String secret) {
        Rules.require("secret", Rules.clientSecret(secret));
        return new Fixed(secret);
    }

    static ClientSecretResolver file(Path file, boolean groupReadable) {
        return new OfFile(file.toAbsolutePath(), groupReadable);
    }

    private static final class Fixed implements ClientSecretResolver, CheckedSecret {
        private final String secret;

        Fixed(String secret) {
            this.secret = secret;
        }

        @Override
        public Mono<String> resolve() {
            return Mono.just(secret);
        }

        @Override
        public String toString() {
            return "ClientSecretResolver[fixed]";
        }
    }

    private static final class OfFile implements ClientSecretResolver {
        private final Path file;
        private final boolean groupReadable;

        OfFile(Path file, boolean groupReadable) {
            this.file = file;
            this.groupReadable = groupReadable;
        }

        @Override
        public Mono<String> resolve() {
            return Mono.fromCallable(this::read).subscribeOn(Schedulers.boundedElastic());
        }

        private String read() {
            try {
                return ConfigFiles.readSecret(file, groupReadable);
            } catch (Fault e) {
                throw new ConfigurationException(
                        List.of(new ConfigurationException.Problem("client secret", file.toString(), e.text())));
            }
        }

        @Override
        public String toString() {
            return "ClientSecretResolver[" + file + ']';
        }
    }
}
