package run.caracal.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.HashMap;
import java.util.Map;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import reactor.core.publisher.Mono;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;
import run.caracal.internal.config.ConfigLoader;
import run.caracal.internal.config.Host;
import run.caracal.internal.config.Settings;

/** The precedence of a framework's properties over profile and environment. */
class ConfigOverridesTest {
    private static final String SOURCE = "application.yml";

    @TempDir
    private Path directory = Path.of("");

    private final Map<String, String> variables = new HashMap<>();

    @BeforeEach
    void environmentIsComplete() {
        variables.put("CARACAL_ZONE_ID", "environment");
        variables.put("CARACAL_APPLICATION_ID", "app");
        variables.put("CARACAL_APP_CLIENT_SECRET", "s3cret");
    }

    private static ConfigOverrides overrides(String... keysAndValues) {
        ConfigOverrides overrides = ConfigOverrides.none();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            overrides = overrides.with(keysAndValues[i], keysAndValues[i + 1], "my." + keysAndValues[i], SOURCE);
        }
        return overrides;
    }

    private Settings load(ConfigOverrides overrides) {
        Host host = new Host(variables, directory.toString(), "Linux", Clock.systemUTC());
        return ConfigLoader.lookup(host, overrides.settings());
    }

    private void profile(String... lines) throws IOException {
        Path file = directory.resolve("caracal.toml");
        Files.writeString(
                file,
                "zone_id = 'profile'\napplication_id = 'profile-app'\napp_client_secret = 's3cret'\n"
                        + String.join("\n", lines));
        VectorConfigs.setMode(file, "0600");
        variables.put("CARACAL_CONFIG", file.toString());
    }

    @Test
    void winsKeyByKeyOverTheEnvironment() {
        Settings settings = load(overrides("zone_id", "mine", "gateway_url", "https://gateway.example"));
        assertThat(settings.zoneId()).isEqualTo("mine");
        assertThat(settings.applicationId()).isEqualTo("app");
        assertThat(settings.gatewayUrl()).hasToString("https://gateway.example");
    }

    @Test
    void winsKeyByKeyOverTheProfile() throws IOException {
        profile(
                "sts_url = 'https://sts.example'",
                "default_ttl_seconds = 60",
                "max_open_sessions = 3",
                "max_mints_per_minute = 20",
                "propagation = 'gateway'");
        Settings settings = load(overrides(
                "zone_id",
                "mine",
                "default_ttl_seconds",
                "120",
                "max_open_sessions",
                "5",
                "propagation",
                "everywhere"));
        assertThat(settings.zoneId()).isEqualTo("mine");
        assertThat(settings.applicationId()).isEqualTo("profile-app");
        assertThat(settings.stsUrl()).hasToString("https://sts.example");
        assertThat(settings.defaultTtl()).hasSeconds(120);
        assertThat(settings.maxOpenSessions()).isEqualTo(5);
        assertThat(settings.maxMintsPerMinute()).isEqualTo(20);
        assertThat(settings.propagation()).containsExactly("everywhere");
    }

    @Test
    void theLogNamesWhatCameFromWhere() {
        assertThat(load(overrides("zone_id", "mine", "app_client_secret", "hidden"))
                        .source())
                .isEqualTo("the environment, except for zone_id = my.zone_id (application.yml), app_client_secret ="
                        + " my.app_client_secret (application.yml)");
        assertThat(overrides("app_client_secret", "hidden").toString()).doesNotContain("hidden");
    }

    @Test
    void aSecretStandsInPlaceOfAStaticToken() {
        variables.remove("CARACAL_APP_CLIENT_SECRET");
        variables.put("CARACAL_SUBJECT_TOKEN", "not a token");
        Settings settings = load(overrides("app_client_secret", "mine"));
        assertThat(settings.clientSecret()).isEqualTo("mine");
        assertThat(settings.subjectToken()).isNull();
    }

    @Test
    void aResolverStandsInPlaceOfEveryCredential() {
        variables.remove("CARACAL_APP_CLIENT_SECRET");
        ConfigOverrides resolver = ConfigOverrides.none().withClientSecret(() -> Mono.just("from a vault"));
        assertThat(load(resolver).clientSecret()).isNull();
    }

    @Test
    void aSecretFileIsReadFromWhereItSays() throws IOException {
        profile();
        Path secret = directory.resolve("secret");
        Files.writeString(secret, "from a file\n");
        VectorConfigs.setMode(secret, "0600");
        assertThat(load(overrides("app_client_secret_file", secret.toString())).clientSecretFile())
                .isEqualTo(secret);
    }

    @Test
    void aBindingReplacesTheOneOfItsResource() {
        variables.put("CARACAL_RESOURCES", "resource://a=https://old.example,resource://b=https://b.example");
        Settings settings = load(overrides(
                "credentials[0].resource",
                "resource://a",
                "credentials[0].upstream_prefix",
                "https://new.example",
                "credentials[0].scopes",
                "a:read a:write"));
        assertThat(settings.prefixes())
                .containsEntry("resource://a", "https://new.example")
                .containsEntry("resource://b", "https://b.example");
        assertThat(settings.scopes().get("resource://a")).containsExactly("a:read", "a:write");
    }

    @Test
    void anEmptyValueCountsAsUnset() {
        assertThat(load(overrides("zone_id", "", "app_client_secret", "")).zoneId())
                .isEqualTo("environment");
    }

    @Test
    void faultsAreReportedTogetherUnderTheirOwnNames() {
        variables.remove("CARACAL_APPLICATION_ID");
        ConfigOverrides faulty = overrides(
                "zone_id",
                " ",
                "app_client_secret",
                "one",
                "app_client_secret_file",
                "/two",
                "sts_url",
                "ftp://sts",
                "default_ttl_seconds",
                "never",
                "credentials[2].upstream_prefix",
                "https://api.example",
                "production",
                "perhaps");
        assertThatThrownBy(() -> load(faulty))
                .isInstanceOfSatisfying(
                        ConfigurationException.class,
                        e -> assertThat(e.problems())
                                .extracting(Problem::setting)
                                .containsExactlyInAnyOrder(
                                        "my.production",
                                        "my.zone_id",
                                        "CARACAL_APPLICATION_ID",
                                        "my.app_client_secret",
                                        "my.sts_url",
                                        "my.default_ttl_seconds",
                                        "my.credentials[2].upstream_prefix"));
    }

    @Test
    void productionCanBeOverruled() {
        variables.put("CARACAL_ENV", "production");
        assertThat(load(overrides("production", "false")).production()).isFalse();
        variables.remove("CARACAL_ENV");
        assertThatThrownBy(() -> load(overrides("production", "true")))
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("is required in production");
    }

    @Test
    void anUnknownKeyIsRefused() {
        assertThatThrownBy(() -> overrides("zone", "mine"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("zone");
    }
}
