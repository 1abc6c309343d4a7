package run.caracal.config;

import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import run.caracal.internal.config.ConfigLoader;
import run.caracal.internal.config.Host;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorTests;

class ConfigEnvVectorTest {
    @TempDir
    private Path directory = Path.of("");

    @VectorTests("config-env")
    void loadsTheEnvironment(VectorCase vector) throws Exception {
        Map<String, String> places = VectorConfigs.files(vector, directory);
        Host host = VectorConfigs.host(vector, places);
        VectorConfigs.judge(vector, places, () -> ConfigLoader.environment(host));
    }
}
