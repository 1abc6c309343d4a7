package run.caracal.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.error.ConfigurationException;

class ClientSecretResolverTest {
    @TempDir
    private Path directory = Path.of("");

    private Path secretFile(String content) throws IOException {
        Path file = directory.resolve("secret");
        Files.writeString(file, content);
        VectorConfigs.setMode(file, "0600");
        return file;
    }

    @Test
    void readsTheFileEachTime() throws IOException {
        ClientSecretResolver resolver = ClientSecretResolver.file(secretFile("first\n"));
        Mono<String> secret = resolver.resolve();
        StepVerifier.create(secret).expectNext("first").verifyComplete();
        var unused = secretFile("\u00a0second \r\n");
        StepVerifier.create(secret).expectNext("second").verifyComplete();
    }

    @Test
    void readsOffTheEventLoop() throws IOException {
        ClientSecretResolver resolver = ClientSecretResolver.file(secretFile("s3cret"));
        StepVerifier.create(resolver.resolve()
                        .map(secret -> Thread.currentThread().getName())
                        .subscribeOn(Schedulers.parallel()))
                .assertNext(thread -> assertThat(thread).startsWith("boundedElastic-"))
                .verifyComplete();
    }

    @Test
    void namesTheFileAndTheRemedy() throws IOException {
        Path file = secretFile("s3cret-value");
        VectorConfigs.setMode(file, "0640");
        StepVerifier.create(ClientSecretResolver.file(file).resolve())
                .verifyErrorSatisfies(error -> assertThat(error)
                        .isInstanceOf(ConfigurationException.class)
                        .hasMessageContaining("chmod 600 " + file)
                        .hasMessageContaining("ClientSecretResolver")
                        .hasMessageNotContaining("s3cret-value"));
        Files.delete(file);
        StepVerifier.create(ClientSecretResolver.file(file).resolve())
                .verifyErrorSatisfies(error -> assertThat(error)
                        .isInstanceOf(ConfigurationException.class)
                        .hasMessageContaining(file + " cannot be read (it does not exist)"));
    }

    @Test
    void takesAFileThatAGroupCanReadWhenToldSo() throws IOException {
        Path file = secretFile("s3cret-value");
        ClientSecretResolver resolver = ClientSecretResolver.groupReadableFile(file);
        for (String mode : new String[] {"0440", "0444", "0640"}) {
            VectorConfigs.setMode(file, mode);
            StepVerifier.create(resolver.resolve()).expectNext("s3cret-value").verifyComplete();
        }
        VectorConfigs.setMode(file, "0660");
        StepVerifier.create(resolver.resolve())
                .verifyErrorSatisfies(error -> assertThat(error).hasMessageContaining("chmod 600 " + file));
    }

    @Test
    void refusesWhatIsNoSecret() throws IOException {
        for (String content : new String[] {"", " \n", "top\nsecret", "x".repeat(64 * 1024 + 1)}) {
            Path file = secretFile(content);
            StepVerifier.create(ClientSecretResolver.file(file).resolve())
                    .verifyErrorSatisfies(error -> assertThat(error)
                            .isInstanceOf(ConfigurationException.class)
                            .hasMessageContaining(file.toString())
                            .hasMessageNotContaining("top"));
        }
        StepVerifier.create(ClientSecretResolver.file(directory).resolve())
                .verifyErrorSatisfies(error -> assertThat(error).hasMessageContaining("is a directory"));
    }

    @Test
    void neverEchoesAFixedSecret() {
        assertThatThrownBy(() -> ClientSecretResolver.of("top\nsecret"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageNotContaining("top")
                .hasMessageNotContaining("secret\n");
        assertThatThrownBy(() -> ClientSecretResolver.of(" ")).isInstanceOf(IllegalArgumentException.class);
        ClientSecretResolver resolver = ClientSecretResolver.of(" spaced ");
        assertThat(resolver).hasToString("ClientSecretResolver[fixed]");
        StepVerifier.create(resolver.resolve()).expectNext(" spaced ").verifyComplete();
    }
}
