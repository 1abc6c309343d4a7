package run.caracal.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.error.ConfigurationException;
import run.caracal.http.Propagation;
import run.caracal.internal.config.ConfigLoader;
import run.caracal.internal.config.Host;
import run.caracal.internal.config.Settings;

/** Which source wins, and which value within it. */
class ConfigLookupTest {
    @TempDir
    private Path directory = Path.of("");

    private final Map<String, String> variables = new HashMap<>();

    @BeforeEach
    void environmentIsComplete() {
        variables.put("CARACAL_ZONE_ID", "environment");
        variables.put("CARACAL_APPLICATION_ID", "app");
        variables.put("CARACAL_APP_CLIENT_SECRET", "s3cret");
    }

    /** Writes a profile whose zone names its location. */
    private Path profile(String place, String... lines) throws IOException {
        Path file = directory.resolve(place).resolve("caracal.toml");
        Files.createDirectories(file.getParent());
        Files.writeString(
                file,
                "zone_id = '" + place.replace('/', ':').replace(' ', '_') + "'\napplication_id = 'app'\n"
                        + "app_client_secret = 's3cret'\n" + String.join("\n", lines));
        VectorConfigs.setMode(file, "0600");
        return file;
    }

    private Host host(String os) {
        return new Host(variables, directory.resolve("home").toString(), os, Clock.systemUTC());
    }

    private String winner(String os) {
        return ConfigLoader.lookup(host(os)).zoneId();
    }

    @ParameterizedTest
    @CsvSource({
        // named, caracal home, xdg, os directory, winner
        "true, true, true, true, named",
        "false, true, true, true, own",
        "false, false, true, true, xdg:caracal",
        "false, false, false, true, home:.config:caracal",
        "false, false, false, false, environment",
        "true, false, false, false, named",
        "true, false, true, false, named"
    })
    void looksInOrder(boolean named, boolean own, boolean xdg, boolean system, String winner) throws IOException {
        if (named) {
            variables.put("CARACAL_CONFIG", profile("named").toString());
        }
        if (own) {
            var unused = profile("own");
            variables.put("CARACAL_CONFIG_HOME", directory.resolve("own").toString());
        }
        if (xdg) {
            var unused = profile("xdg/caracal");
            variables.put("XDG_CONFIG_HOME", directory.resolve("xdg").toString());
        }
        if (system) {
            var unused = profile("home/.config/caracal");
        }
        assertThat(winner("Linux")).isEqualTo(winner);
    }

    @ParameterizedTest
    @CsvSource({
        "Windows 11, roaming/Caracal",
        "Mac OS X, home/Library/Application Support/Caracal",
        "Linux, home/.config/caracal",
        "FreeBSD, home/.config/caracal"
    })
    void hasADirectoryPerSystem(String os, String place) throws IOException {
        variables.put("APPDATA", directory.resolve("roaming").toString());
        for (String other :
                new String[] {"roaming/Caracal", "home/Library/Application Support/Caracal", "home/.config/caracal"}) {
            var unused = profile(other);
        }
        assertThat(winner(os)).isEqualTo(place.replace('/', ':').replace(' ', '_'));
    }

    @Test
    void anOverriddenDirectoryWithoutAProfileLeavesTheEnvironment() throws IOException {
        var unused = profile("home/.config/caracal");
        variables.put("CARACAL_CONFIG_HOME", directory.resolve("empty").toString());
        assertThat(winner("Linux")).isEqualTo("environment");
    }

    @Test
    void neverLooksInTheWorkingDirectory() throws IOException {
        Path relative = Files.createTempDirectory(Path.of("target"), "lookup");
        Files.createDirectories(relative.resolve("caracal"));
        Files.writeString(relative.resolve("caracal").resolve("caracal.toml"), "zone_id = 'cwd'");
        Files.createDirectories(relative.resolve(".config").resolve("caracal"));
        Files.writeString(relative.resolve(".config").resolve("caracal").resolve("caracal.toml"), "zone_id = 'cwd'");
        assertThat(relative.isAbsolute()).isFalse();
        variables.put("XDG_CONFIG_HOME", relative.toString());
        assertThat(ConfigLoader.lookup(new Host(variables, relative.toString(), "Linux", Clock.systemUTC()))
                        .zoneId())
                .isEqualTo("environment");
        variables.put("CARACAL_CONFIG_HOME", relative.toString());
        assertThatThrownBy(() -> winner("Linux"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("CARACAL_CONFIG_HOME");
    }

    @ParameterizedTest
    @ValueSource(strings = {"missing.toml", " ", "."})
    void aNamedProfileMustBeThere(String named) throws IOException {
        var unused = profile("home/.config/caracal");
        variables.put(
                "CARACAL_CONFIG",
                named.equals("missing.toml") ? directory.resolve(named).toString() : named);
        assertThatThrownBy(() -> winner("Linux")).isInstanceOf(ConfigurationException.class);
    }

    @Test
    void anEmptyNameIsUnset() throws IOException {
        var unused = profile("home/.config/caracal");
        variables.put("CARACAL_CONFIG", "");
        variables.put("CARACAL_CONFIG_HOME", "");
        variables.put("XDG_CONFIG_HOME", "");
        assertThat(winner("Linux")).isEqualTo("home:.config:caracal");
    }

    @Test
    void namesTheDefaultProfileWhenNothingIsConfigured() {
        variables.clear();
        assertThatThrownBy(() -> winner("Linux"))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("CARACAL_CONFIG")
                .hasMessageContaining(
                        directory.resolve("home/.config/caracal/caracal.toml").toString());
    }

    @ParameterizedTest
    @CsvSource({
        // profile new, profile old, environment new, environment old, winner
        "sts_url, zone_url, CARACAL_STS_URL, CARACAL_ZONE_URL, sts_url",
        ", zone_url, CARACAL_STS_URL, CARACAL_ZONE_URL, zone_url",
        ", , CARACAL_STS_URL, CARACAL_ZONE_URL, caracal_sts_url",
        ", , , CARACAL_ZONE_URL, caracal_zone_url"
    })
    void keysOfTheProfileWin(String key, String oldKey, String variable, String oldVariable, String winner)
            throws IOException {
        StringBuilder lines = new StringBuilder();
        for (String name : new String[] {key, oldKey}) {
            if (name != null) {
                lines.append(name).append(" = 'https://").append(name).append("'\n");
            }
        }
        for (String name : new String[] {variable, oldVariable}) {
            if (name != null) {
                variables.put(name, "https://" + name.toLowerCase(Locale.ROOT).replace('_', '-'));
            }
        }
        Path file = profile(
                "p",
                lines.toString()
                        .replace("https://sts_url", "https://sts-url")
                        .replace("https://zone_url", "https://zone-url"));
        Settings settings = ConfigLoader.profile(host("Linux"), file);
        assertThat(CaracalConfig.from(settings).stsUrl()).hasToString("https://" + winner.replace('_', '-'));
    }

    @Test
    void otherSettingsOfTheProfileWinToo() throws IOException {
        variables.put("CARACAL_COORDINATOR_URL", "https://env.example.com");
        variables.put("CARACAL_GATEWAY_URL", "https://env.example.com");
        variables.put("CARACAL_DEFAULT_TTL_SECONDS", "5");
        variables.put("CARACAL_PROPAGATION", "everywhere");
        variables.put("CARACAL_MAX_OPEN_SESSIONS", "50");
        variables.put("CARACAL_SESSION_ACQUIRE_TIMEOUT_SECONDS", "45");
        variables.put("CARACAL_MAX_MINTS_PER_MINUTE", "1000");
        variables.put("CARACAL_RESOURCE_SCOPES", "r1=env,r2=env one");
        Path file = profile(
                "p",
                "coordinator_url = 'https://own.example.com'",
                "default_ttl_seconds = 600",
                "max_open_sessions = 20",
                "max_mints_per_minute = 900",
                "propagation = ['https://a.example.com', 'https://b.example.com']",
                "env = 'ignored'",
                "colour = 'blue'",
                "[[credentials]]",
                "resource = 'r1'",
                "upstream_prefix = 'https://r1.example.com'",
                "scopes = ['own']",
                "ttl_seconds = 5",
                "[[optional_credentials]]",
                "resource = 'r2'");
        Settings settings = ConfigLoader.profile(host("Linux"), file);
        CaracalConfig config = CaracalConfig.from(settings);
        assertThat(config.zoneId()).isEqualTo("p");
        assertThat(config.coordinatorUrl()).hasToString("https://own.example.com");
        assertThat(config.gatewayUrl()).hasToString("https://env.example.com");
        assertThat(config.defaultTtl().orElseThrow()).hasSeconds(600);
        assertThat(config.maxOpenSessions()).hasValue(20);
        assertThat(config.sessionAcquireTimeout()).hasSeconds(45);
        assertThat(config.maxMintsPerMinute()).hasValue(900);
        assertThat(config.mutate().build().toString()).isEqualTo(config.toString());
        assertThat(config.propagation())
                .hasValue(Propagation.origins("https://a.example.com", "https://b.example.com"));
        assertThat(config.scopesOf("r1")).containsExactly("own");
        assertThat(config.scopesOf("r2")).containsExactly("env", "one");
        assertThat(settings.source()).contains(file.toString());
        assertThat(settings.warnings())
                .hasSize(2)
                .anyMatch(warning -> warning.contains("colour"))
                .anyMatch(warning -> warning.contains("CARACAL_APP_CLIENT_SECRET") && !warning.contains("s3cret"));
    }

    @Test
    void aSecretFileIsRelativeToTheProfile() throws IOException {
        Path file = profile("p");
        Files.writeString(
                file,
                Files.readString(file).replace("app_client_secret = 's3cret'", "app_client_secret_file = 'secret'"));
        Files.writeString(file.resolveSibling("secret"), "beside\n");
        VectorConfigs.setMode(file.resolveSibling("secret"), "0600");
        CaracalConfig config = CaracalConfig.from(ConfigLoader.profile(host("Linux"), file));
        assertThat(config.clientSecret().orElseThrow().resolve().block()).isEqualTo("beside");
    }

    @Test
    void theEnvironmentMayNameAProfile() throws IOException {
        Path file = profile("named");
        Files.createDirectories(directory.resolve("home/.config/caracal"));
        Files.copy(file, directory.resolve("home/.config/caracal/caracal.toml"));
        assertThat(ConfigLoader.environment(host("Linux")).zoneId()).isEqualTo("environment");
        variables.put("CARACAL_CONFIG", file.toString());
        assertThat(ConfigLoader.environment(host("Linux")).zoneId()).isEqualTo("named");
        Files.delete(file);
        assertThatThrownBy(() -> ConfigLoader.environment(host("Linux")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("CARACAL_CONFIG")
                .hasMessageContaining(file + ", which does not exist");
    }

    @Test
    void aByteOrderMarkAtTheStartOfAFileIsSkipped() throws IOException {
        Path file = profile("p");
        Path secret = file.resolveSibling("secret");
        Path bindings = file.resolveSibling("bindings.json");
        Files.writeString(
                file,
                "\ufeff"
                        + Files.readString(file)
                                .replace("app_client_secret = 's3cret'", "app_client_secret_file = 'secret'"));
        Files.writeString(secret, "\ufeffbeside\n");
        Files.writeString(bindings, "\ufeff{\"r1\": \"https://r1.example.com\"}");
        VectorConfigs.setMode(secret, "0600");
        variables.put("CARACAL_RESOURCES_FILE", bindings.toString());
        CaracalConfig config = CaracalConfig.from(ConfigLoader.profile(host("Linux"), file));
        assertThat(config.clientSecret().orElseThrow().resolve().block()).isEqualTo("beside");
        assertThat(config.resourceIds()).containsExactly("r1");
    }

    @ParameterizedTest
    @CsvSource({"0440", "0444", "0640"})
    void aSecretThatAGroupCanReadIsTakenWhereThatIsAllowed(String mode) throws IOException {
        Path file = profile("p");
        Path secret = file.resolveSibling("secret");
        Files.writeString(secret, "beside");
        VectorConfigs.setMode(secret, mode);
        String inline = Files.readString(file);
        String beside = inline.replace("app_client_secret = 's3cret'", "app_client_secret_file = 'secret'");

        Files.writeString(file, beside);
        assertThatThrownBy(() -> ConfigLoader.profile(host("Linux"), file))
                .hasMessageContaining("app_client_secret_file")
                .hasMessageContaining("CARACAL_ALLOW_GROUP_READABLE_SECRETS=true")
                .hasMessageContaining("allow_group_readable_secrets = true");
        Files.writeString(file, beside + "\nallow_group_readable_secrets = true");
        assertThat(secretOf(file)).isEqualTo("beside");

        variables.put("CARACAL_ALLOW_GROUP_READABLE_SECRETS", "true");
        Files.writeString(file, beside + "\nallow_group_readable_secrets = false");
        assertThatThrownBy(() -> ConfigLoader.profile(host("Linux"), file)).hasMessageContaining("chmod 600");
        Files.writeString(file, beside);
        assertThat(secretOf(file)).isEqualTo("beside");
        Files.writeString(file, inline);
        VectorConfigs.setMode(file, mode);
        assertThat(secretOf(file)).isEqualTo("s3cret");

        variables.remove("CARACAL_APP_CLIENT_SECRET");
        variables.put("CARACAL_APP_CLIENT_SECRET_FILE", secret.toString());
        CaracalConfig config = CaracalConfig.from(ConfigLoader.environment(host("Linux")));
        assertThat(config.clientSecret().orElseThrow().resolve().block()).isEqualTo("beside");
    }

    private String secretOf(Path profile) {
        return String.valueOf(CaracalConfig.from(ConfigLoader.profile(host("Linux"), profile))
                .clientSecret()
                .orElseThrow()
                .resolve()
                .block());
    }

    @ParameterizedTest
    @CsvSource({
        "gateway, gateway",
        "resources, resources",
        "everywhere, everywhere",
        "'HTTPS://A.example.com, http://localhost:80', 'http://localhost,https://a.example.com'"
    })
    void choosesPropagation(String value, String chosen) {
        variables.put("CARACAL_PROPAGATION", value);
        assertThat(winnerPropagation()).hasToString(chosen);
    }

    private Propagation winnerPropagation() {
        return CaracalConfig.from(ConfigLoader.lookup(host("Linux")))
                .propagation()
                .orElseThrow();
    }

    @ParameterizedTest
    @CsvSource({
        "production, http://other.example.com, false",
        "production, 'https://other.example.com,http://localhost:9', true",
        "staging, http://other.example.com, true"
    })
    void inProductionNoPlainHttpOriginIsNamed(String environment, String origins, boolean valid) {
        variables.put("CARACAL_ENV", environment);
        variables.put("CARACAL_PROPAGATION", origins);
        for (String service : new String[] {"COORDINATOR", "STS", "GATEWAY"}) {
            variables.put("CARACAL_" + service + "_URL", "https://service.example.com");
        }
        if (valid) {
            assertThat(winnerPropagation().namedOrigins()).isNotEmpty();
        } else {
            assertThatThrownBy(this::winnerPropagation)
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("CARACAL_PROPAGATION")
                    .hasMessageContaining("use https");
        }
    }

    @Test
    void leavesPropagationUnsetInProductionToo() {
        variables.put("CARACAL_ENV", "production");
        for (String service : new String[] {"COORDINATOR", "STS", "GATEWAY"}) {
            variables.put("CARACAL_" + service + "_URL", "https://service.example.com");
        }
        CaracalConfig config = CaracalConfig.from(ConfigLoader.lookup(host("Linux")));
        assertThat(config.production()).isTrue();
        assertThat(config.propagation()).isEmpty();
    }

    @ParameterizedTest
    @CsvSource({"t, , t", ", t, t", "t, t, t", "t, '', t"})
    void takesBothNamesOfTheToken(String subject, String bootstrap, String token) {
        variables.remove("CARACAL_APP_CLIENT_SECRET");
        if (subject != null) {
            variables.put("CARACAL_SUBJECT_TOKEN", subject);
        }
        if (bootstrap != null) {
            variables.put("CARACAL_BOOTSTRAP_TOKEN", bootstrap);
        }
        assertThat(CaracalConfig.from(ConfigLoader.lookup(host("Linux"))).subjectToken())
                .hasValue(token);
    }
}
