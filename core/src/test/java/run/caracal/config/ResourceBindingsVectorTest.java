package run.caracal.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import run.caracal.error.ConfigurationException;
import run.caracal.internal.config.ConfigLoader;
import run.caracal.internal.config.Host;
import run.caracal.internal.config.Settings;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

class ResourceBindingsVectorTest {
    @TempDir
    private Path directory = Path.of("");

    @VectorTests("resource-bindings")
    void unitesTheSources(VectorCase vector) throws Exception {
        Map<String, String> places = VectorConfigs.files(vector, directory);
        Host recorded = VectorConfigs.host(vector, places);
        boolean profiled = vector.input().hasValue("credential_bindings");
        if (profiled && recorded.variables().containsKey("CARACAL_APP_RESOURCES")) {
            throw vector.leaveOut("CARACAL_APP_RESOURCES is not read beside a profile (config-toml)");
        }
        VectorCase.VectorError error = vector.error();
        if (error != null) {
            Throwable thrown = catchThrowable(() -> load(vector, recorded, profiled));
            assertThat(thrown).isInstanceOf(ConfigurationException.class);
            if (!error.runtimeText()) {
                assertThat(VectorConfigs.names(String.valueOf(thrown.getMessage())))
                        .containsAll(VectorConfigs.names(VectorConfigs.expand(error.message(), places)));
            }
            return;
        }
        CaracalConfig config = CaracalConfig.from(load(vector, recorded, profiled));
        assertThat(config.resources().stream().map(binding -> binding.resource() + '=' + binding.upstreamPrefix()))
                .containsExactlyElementsOf(vector.expected().objects("bindings").stream()
                        .map(binding -> binding.string("resource_id") + '=' + binding.string("upstream_prefix"))
                        .toList());
        List<String> ids = vector.expected().strings("resource_ids");
        if (profiled) { // the ids of a profile keep its order (config-toml)
            assertThat(config.resourceIds()).containsExactlyInAnyOrderElementsOf(ids);
        } else {
            assertThat(config.resourceIds()).isEqualTo(ids);
        }
    }

    private Settings load(VectorCase vector, Host recorded, boolean profiled) throws Exception {
        if (profiled) {
            StringBuilder toml = new StringBuilder("zone_id='z'\napplication_id='a'\napp_client_secret='s3cret'\n");
            for (VectorObject binding : vector.input().objects("credential_bindings")) {
                toml.append("[[credentials]]\nresource='")
                        .append(binding.string("resource_id"))
                        .append("'\nupstream_prefix='")
                        .append(binding.string("upstream_prefix"))
                        .append("'\n");
            }
            Path profile = directory.resolve("caracal.toml");
            Files.writeString(profile, toml);
            VectorConfigs.setMode(profile, "0600");
            return ConfigLoader.profile(recorded, profile);
        }
        Map<String, String> variables = new HashMap<>(recorded.variables());
        variables.putAll(
                Map.of("CARACAL_ZONE_ID", "z", "CARACAL_APPLICATION_ID", "a", "CARACAL_APP_CLIENT_SECRET", "s3cret"));
        return ConfigLoader.environment(new Host(variables, "", "Linux", recorded.clock()));
    }
}
