package run.caracal.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.io.IOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;
import run.caracal.internal.config.ConfigLoader;
import run.caracal.internal.config.Host;

/** The error messages for unusable configurations. */
class ConfigFaultsTest {
    private static final String GOOD = "zone_id='z'\napplication_id='a'\napp_client_secret='s3cret-value'\n";

    @TempDir
    private Path directory = Path.of("");

    private static Host host(Map<String, String> variables) {
        return new Host(variables, "", "Linux", Clock.systemUTC());
    }

    private static Map<String, String> environment(String name, String value) {
        Map<String, String> variables = new HashMap<>(Map.of(
                "CARACAL_ZONE_ID", "z",
                "CARACAL_APPLICATION_ID", "a",
                "CARACAL_APP_CLIENT_SECRET", "s3cret-value"));
        variables.put(name, value);
        return variables;
    }

    private static ConfigurationException environmentFault(Map<String, String> variables) {
        return catchThrowableOfType(ConfigurationException.class, () -> ConfigLoader.environment(host(variables)));
    }

    private ConfigurationException profileFault(byte[] toml) throws IOException {
        Path file = directory.resolve("caracal.toml");
        Files.write(file, toml);
        VectorConfigs.setMode(file, "0600");
        ConfigurationException fault =
                catchThrowableOfType(ConfigurationException.class, () -> ConfigLoader.profile(host(Map.of()), file));
        assertThat(fault).isNotNull();
        assertThat(fault).hasMessageContaining(file.toString());
        return fault;
    }

    private ConfigurationException profileFault(String toml) throws IOException {
        return profileFault(toml.getBytes(StandardCharsets.UTF_8));
    }

    @Test
    void allFaultsOfAnEnvironmentAreReportedTogether() {
        ConfigurationException fault = environmentFault(Map.of(
                "CARACAL_APPLICATION_ID", "..",
                "CARACAL_APP_CLIENT_SECRET", "s3cret-value",
                "CARACAL_SUBJECT_TOKEN", "t0ken-value",
                "CARACAL_STS_URL", "nope",
                "CARACAL_DEFAULT_TTL_SECONDS", "86401",
                "CARACAL_RESOURCES", "bad,r1=https://a.example.com,r2=",
                "CARACAL_RESOURCE_SCOPES", "r1=read,r7=read,r1=,x",
                "CARACAL_PROPAGATION", "https://*.example.com"));
        assertThat(fault.problems().stream().map(Problem::setting))
                .containsExactly(
                        "CARACAL_ZONE_ID",
                        "CARACAL_APPLICATION_ID",
                        "CARACAL_APP_CLIENT_SECRET",
                        "CARACAL_STS_URL",
                        "CARACAL_DEFAULT_TTL_SECONDS",
                        "CARACAL_PROPAGATION",
                        "CARACAL_RESOURCES",
                        "CARACAL_RESOURCES",
                        "CARACAL_RESOURCE_SCOPES",
                        "CARACAL_RESOURCE_SCOPES",
                        "CARACAL_RESOURCE_SCOPES");
        assertThat(fault.problems()).allMatch(problem -> problem.source().equals("environment variable"));
        assertThat(fault)
                .hasMessageContaining("11 faults")
                .hasMessageNotContaining("s3cret-value")
                .hasMessageNotContaining("t0ken-value");
    }

    @Test
    void allFaultsOfAProfileAreReportedTogether() throws IOException {
        ConfigurationException fault = profileFault("""
                application_id = 7
                app_client_secret = "top\\nsecret"
                gateway_url = " "
                default_ttl_seconds = "5"
                propagation = [1]
                [[credentials]]
                resource = "r1"
                scopes = ["a b"]
                [[credentials]]
                upstream_prefix = 5
                """);
        assertThat(fault.problems().stream().map(Problem::setting))
                .containsExactly(
                        "zone_id",
                        "application_id",
                        "app_client_secret",
                        "gateway_url",
                        "default_ttl_seconds",
                        "propagation[0]",
                        "propagation",
                        "credentials[0].scopes",
                        "credentials[1].upstream_prefix",
                        "credentials[1].resource");
        assertThat(fault).hasMessageNotContaining("top");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "CARACAL_ZONE_ID",
                "CARACAL_APPLICATION_ID",
                "CARACAL_APP_CLIENT_SECRET",
                "CARACAL_COORDINATOR_URL",
                "CARACAL_STS_URL",
                "CARACAL_ZONE_URL",
                "CARACAL_GATEWAY_URL",
                "CARACAL_RESOURCES",
                "CARACAL_RESOURCES_FILE",
                "CARACAL_APP_RESOURCES",
                "CARACAL_RESOURCE_SCOPES",
                "CARACAL_DEFAULT_TTL_SECONDS",
                "CARACAL_PROPAGATION",
                "CARACAL_ENV",
                "CARACAL_ALLOW_INSECURE_CONFIG_URLS"
            })
    void blankIsAFaultAndEmptyIsUnset(String name) {
        ConfigurationException fault = environmentFault(environment(name, " \t"));
        assertThat(fault.problems()).hasSize(1);
        assertThat(fault).hasMessageContaining(name + " (environment variable): is blank");
        boolean required = name.endsWith("_ID") || name.endsWith("SECRET");
        ConfigurationException empty = environmentFault(environment(name, ""));
        if (required) {
            assertThat(empty).hasMessageContaining(name).hasMessageContaining("is missing");
        } else {
            assertThat(empty).isNull();
        }
    }

    @ParameterizedTest
    @CsvSource({
        "CARACAL_MAX_OPEN_SESSIONS, 0, at least 1",
        "CARACAL_MAX_OPEN_SESSIONS, -1, at least 1",
        "CARACAL_MAX_OPEN_SESSIONS, many, a whole number",
        "CARACAL_MAX_OPEN_SESSIONS, 4.5, a whole number",
        "CARACAL_MAX_OPEN_SESSIONS, 99999999999, a whole number",
        "CARACAL_MAX_MINTS_PER_MINUTE, 1, at least 2",
        "CARACAL_MAX_MINTS_PER_MINUTE, -5, at least 2",
        "CARACAL_SESSION_ACQUIRE_TIMEOUT_SECONDS, 0, 1 millisecond",
        "CARACAL_SESSION_ACQUIRE_TIMEOUT_SECONDS, 3601, 1 hour",
    })
    void aLimitThatCannotBeNamesItsPlaceAndTheLeast(String name, String value, String least) throws IOException {
        assertThat(environmentFault(environment(name, value)))
                .hasMessageContaining(name + " (environment variable)")
                .hasMessageContaining(least);
        String key = name.substring("CARACAL_".length()).toLowerCase(Locale.ROOT);
        assertThat(profileFault(GOOD + key + " = " + (value.equals("many") ? "'many'" : value)))
                .hasMessageContaining(key)
                .hasMessageContaining(least);
    }

    @ParameterizedTest
    @CsvSource({"CARACAL_APP_CLIENT_SECRET", "CARACAL_SUBJECT_TOKEN", "CARACAL_BOOTSTRAP_TOKEN"})
    void aLineBreakInASecretIsNeverEchoed(String name) {
        Map<String, String> variables = environment(name, "first-half\nsecond-half");
        if (!name.endsWith("SECRET")) {
            variables.remove("CARACAL_APP_CLIENT_SECRET");
        }
        assertThat(environmentFault(variables))
                .hasMessageContaining(name + " (environment variable)")
                .hasMessageContaining("line break")
                .hasMessageNotContaining("-half");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "http://caracal_sts:8080",
                "http://caracal-sts.12:8080",
                "http://123:8080",
                "http://xn--bcher-kva.example",
                "http://localhost.:8080",
                "http://[fe80::1%25eth0]:8080"
            })
    void takesTheHostsThatNetworksHave(String url) {
        for (String name : List.of("CARACAL_STS_URL", "CARACAL_COORDINATOR_URL", "CARACAL_GATEWAY_URL")) {
            CaracalConfig config = CaracalConfig.from(ConfigLoader.environment(host(environment(name, url))));
            assertThat(List.of(config.stsUrl(), config.coordinatorUrl(), config.gatewayUrl()))
                    .contains(URI.create(url));
        }
    }

    @Test
    void aHostBeyondAsciiIsToldItsAsciiForm() {
        assertThat(environmentFault(environment("CARACAL_STS_URL", "https://b\u00fccher.example")))
                .hasMessageContaining("CARACAL_STS_URL (environment variable): has a host")
                .hasMessageContaining("xn--bcher-kva.example");
    }

    @ParameterizedTest
    @CsvSource(
            quoteCharacter = '|',
            value = {
                "CARACAL_ENV, \"production\", quotes",
                "CARACAL_ENV, 'production', quotes",
                "CARACAL_ENV, Production, |production, staging|",
                "CARACAL_ENV, prod, |production, staging|",
                "CARACAL_ENV, |production |, |production, staging|",
                "CARACAL_ALLOW_INSECURE_CONFIG_URLS, \"true\", quotes",
                "CARACAL_ALLOW_INSECURE_CONFIG_URLS, 1, |true, false|",
                "CARACAL_ALLOW_GROUP_READABLE_SECRETS, \"false\", quotes",
                "CARACAL_ALLOW_GROUP_READABLE_SECRETS, yes, |true, false|",
                "CARACAL_PROPAGATION, \"gateway\", |gateway, resources|",
                "CARACAL_PROPAGATION, Gateway, |gateway, resources|",
                "CARACAL_DEFAULT_TTL_SECONDS, \"60\", integer"
            })
    void aWordThatIsNoneOfThoseExpectedIsAFault(String name, String value, String remedy) {
        assertThat(environmentFault(environment(name, value)).problems())
                .singleElement()
                .satisfies(problem -> {
                    assertThat(problem.setting()).isEqualTo(name);
                    assertThat(problem.message()).contains(remedy);
                });
    }

    @Test
    void aFlagOfAProfileHasNoQuotes() throws IOException {
        assertThat(profileFault(GOOD + "allow_group_readable_secrets = 'true'"))
                .hasMessageContaining("allow_group_readable_secrets")
                .hasMessageContaining("without quotes");
    }

    @Test
    void quotesOfASecretAreWarnedAbout() {
        assertThat(ConfigLoader.environment(host(environment("CARACAL_APP_CLIENT_SECRET", "\"s3cret-value\"")))
                        .warnings())
                .singleElement()
                .asString()
                .contains("CARACAL_APP_CLIENT_SECRET", "quotes")
                .doesNotContain("s3cret");
    }

    @ParameterizedTest
    @ValueSource(
            ints = {
                0xFEFF, 0x200B, 0x200D, 0x00A0, 0x00AD, 0x202E, 0x2066, 0x2028, 0x3000, 0x2060, 0x3164, 0xFE0F, 0xE0101
            })
    void anInvisibleCharacterInASecretIsNamed(int character) throws IOException {
        String name = String.format("U+%04X", character);
        String secret = "first" + Character.toString(character) + "half";
        assertThat(environmentFault(environment("CARACAL_APP_CLIENT_SECRET", secret)))
                .hasMessageContaining("CARACAL_APP_CLIENT_SECRET (environment variable): holds " + name)
                .hasMessageNotContaining("half");
        assertThat(profileFault(GOOD.replace("s3cret-value", secret)))
                .hasMessageContaining("holds " + name)
                .hasMessageNotContaining("half");
        Path file = directory.resolve("secret");
        Files.writeString(file, secret);
        VectorConfigs.setMode(file, "0600");
        Map<String, String> variables = environment("CARACAL_APP_CLIENT_SECRET_FILE", file.toString());
        variables.remove("CARACAL_APP_CLIENT_SECRET");
        assertThat(environmentFault(variables))
                .hasMessageContaining("holds " + name)
                .hasMessageNotContaining("half");
        variables.remove("CARACAL_APP_CLIENT_SECRET_FILE");
        variables.put("CARACAL_SUBJECT_TOKEN", secret);
        assertThat(environmentFault(variables))
                .hasMessageContaining("CARACAL_SUBJECT_TOKEN (environment variable): holds " + name)
                .hasMessageNotContaining("half");
    }

    @ParameterizedTest
    @CsvSource({"CARACAL_RESOURCES, resource://\u03c0=https://a.example.com", "CARACAL_APP_RESOURCES, resource://\u03c0"
    })
    void aResourceIsWrittenInVisibleAscii(String name, String value) throws IOException {
        assertThat(environmentFault(environment(name, value)))
                .hasMessageContaining(name)
                .hasMessageContaining("visible ASCII");
        assertThat(profileFault(GOOD + "[[credentials]]\nresource='resource://\u03c0'"))
                .hasMessageContaining("credentials[0].resource")
                .hasMessageContaining("visible ASCII");
    }

    @Test
    void twoDifferentTokensAreAFault() {
        Map<String, String> variables = environment("CARACAL_SUBJECT_TOKEN", "t0ken-one");
        variables.put("CARACAL_BOOTSTRAP_TOKEN", "t0ken-two");
        variables.remove("CARACAL_APP_CLIENT_SECRET");
        assertThat(environmentFault(variables))
                .hasMessageContaining("CARACAL_SUBJECT_TOKEN")
                .hasMessageContaining("CARACAL_BOOTSTRAP_TOKEN")
                .hasMessageNotContaining("t0ken");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "app_client_secret = s3cret-value",
                "app_client_secret = \"s3cret-value\\q\"",
                "app_client_secret = \"s3cret-value",
                "app_client_secret = 's3cret-value'\napp_client_secret = 's3cret-value'",
                "s3cret-value"
            })
    void aSyntaxErrorQuotesNothing(String toml) throws IOException {
        assertThat(profileFault(toml))
                .hasMessageContaining("is not valid TOML")
                .hasMessageContaining("line ")
                .hasMessageNotContaining("s3cret");
    }

    @Test
    void hugeAndDeepProfilesFailCleanly() throws IOException {
        List<String> bad = new ArrayList<>(List.of(
                "x = " + "[".repeat(100_000),
                "x = " + "[".repeat(30_000) + "]".repeat(30_000),
                "x = " + "{a=".repeat(15_000),
                "x" + ".a".repeat(30_000) + " = 1",
                "[x" + ".a".repeat(30_000) + "]",
                "[[".repeat(30_000),
                "\"\n".repeat(2_000),
                "#".repeat(70_000)));
        for (String toml : bad) {
            assertThat(profileFault(GOOD + toml)).hasMessageNotContaining("s3cret");
        }
        assertThat(profileFault(new byte[] {'a', '=', '"', (byte) 0xff, '"'})).hasMessageContaining("UTF-8");
    }

    @Test
    void hugeAndDeepBindingFilesFailCleanly() throws IOException {
        Path file = directory.resolve("bindings.json");
        for (String json : List.of(
                "[".repeat(100_000),
                "{\"a\":".repeat(100_000),
                "{\"r1\":\"https://a.example.com\"} {}",
                "[".repeat(5) + "]".repeat(5),
                "[{\"resource_id\":\"r 1\",\"upstream_prefix\":\"https://a.example.com\"}]",
                "{\"r1\":\"https://user:s3cret@a.example.com\"}",
                "",
                " ".repeat(1024 * 1024 + 1))) {
            Files.writeString(file, json);
            assertThat(environmentFault(environment("CARACAL_RESOURCES_FILE", file.toString())))
                    .hasMessageContaining("CARACAL_RESOURCES_FILE")
                    .hasMessageContaining(file.toString())
                    .hasMessageNotContaining("s3cret");
        }
        assertThat(environmentFault(environment("CARACAL_RESOURCES_FILE", directory.toString())))
                .hasMessageContaining("is a directory");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "https://user:s3cret@sts.example.com",
                "https://sts.example.com?key=s3cret",
                "https://sts.example.com#s3cret",
                "https://sts.example.com/a b",
                "https://sts.example.com\n",
                "https://sts.example.com:99999",
                "https://-sts.example.com"
            })
    void refusesAddressesThatNoClientCouldUse(String url) {
        assertThat(environmentFault(environment("CARACAL_STS_URL", url)))
                .hasMessageContaining("CARACAL_STS_URL")
                .hasMessageNotContaining("s3cret");
    }
}
