package run.caracal.config;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import run.caracal.internal.config.ConfigLoader;
import run.caracal.internal.config.Host;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorTests;

class ConfigTomlVectorTest {
    @TempDir
    private Path directory = Path.of("");

    @VectorTests("config-toml")
    void loadsAProfile(VectorCase vector) throws Exception {
        Map<String, String> places = VectorConfigs.files(vector, directory);
        Path profile = directory.resolve("caracal.toml");
        places.put("{{config_file}}", profile.toString());
        String toml = vector.input().stringOrNull("toml");
        if (toml != null) {
            Files.writeString(profile, VectorConfigs.expand(toml, places));
            String mode = vector.input().stringOrNull("toml_mode");
            VectorConfigs.setMode(profile, mode == null ? "0600" : mode);
        }
        Host host = VectorConfigs.host(vector, places);
        VectorConfigs.judge(vector, places, () -> ConfigLoader.profile(host, profile));
    }
}
