package run.caracal.config;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFilePermission;
import java.time.Clock;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneOffset;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import run.caracal.error.ConfigurationException;
import run.caracal.internal.config.Host;
import run.caracal.internal.config.Settings;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;

/** Helpers of the tests of recorded configurations: the files of a case, the machine, and the comparison. */
final class VectorConfigs {
    private static final Set<String> ENVIRONMENTS = Set.of("production", "staging", "development", "test", "local");
    private static final Pattern NAME = Pattern.compile(
            "CARACAL_[A-Z_]+|\\b(?:zone_id|application_id|app_client_secret(?:_file)?|sts_url|coordinator_url"
                    + "|gateway_url|default_ttl_seconds|upstream_prefix|resource_id|(?:optional_)?credentials\\[[0-9]+]"
                    + "(?:\\.[a-z_]+)?|(?:optional_)?credentials)\\b");

    private VectorConfigs() {}

    /** Builds a configuration from the inputs of a case. */
    interface Loading {
        Settings load() throws Exception;
    }

    /** Creates the files of a case; the keys are the placeholders. */
    static Map<String, String> files(VectorCase vector, Path directory) throws IOException {
        Map<String, String> places = new LinkedHashMap<>();
        VectorObject files = vector.input().objectOrNull("files");
        if (files == null) {
            return places;
        }
        for (String name : files.map().keySet()) {
            VectorObject file = files.object(name);
            Path path = directory.resolve(name);
            places.put("{{" + name + "}}", path.toString());
            if (Boolean.TRUE.equals(file.value("directory"))) {
                Files.createDirectory(path);
            } else if (!Boolean.FALSE.equals(file.value("exists"))) {
                Files.writeString(path, file.string("content"));
            } else {
                continue;
            }
            String mode = file.stringOrNull("mode");
            if (mode != null) {
                setMode(path, mode);
            }
        }
        return places;
    }

    /** Sets permissions given in octal. */
    static void setMode(Path path, String octal) throws IOException {
        int bits = Integer.parseInt(octal, 8);
        PosixFilePermission[] all = PosixFilePermission.values();
        Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
        for (int i = 0; i < all.length; i++) {
            if ((bits >> (all.length - 1 - i) & 1) == 1) {
                permissions.add(all[i]);
            }
        }
        var unused = Files.setPosixFilePermissions(path, permissions);
    }

    static String expand(String text, Map<String, String> places) {
        String expanded = text;
        for (Map.Entry<String, String> place : places.entrySet()) {
            expanded = expanded.replace(place.getKey(), place.getValue());
        }
        return expanded;
    }

    /** A machine with the environment of a case, no home, and its clock. */
    static Host host(VectorCase vector, Map<String, String> places) {
        Map<String, String> variables = new HashMap<>();
        VectorObject env = vector.input().object("env");
        for (String name : env.map().keySet()) {
            if (!(env.value(name) instanceof String)) {
                throw vector.leaveOut("an environment variable that is no text");
            }
            variables.put(name, expand(env.string(name), places));
        }
        Clock clock = vector.input().hasValue("now_epoch_seconds")
                ? Clock.fixed(
                        Instant.ofEpochMilli((long) (vector.input().number("now_epoch_seconds") * 1000)),
                        ZoneOffset.UTC)
                : Clock.systemUTC();
        return new Host(variables, "", "Linux", clock);
    }

    /** Whether this SDK accepts a profile that the peer's parser rejects: one with a byte order mark of an editor. */
    private static boolean isAcceptedByDesign(VectorCase vector) {
        String toml = vector.input().stringOrNull("toml");
        return toml != null && toml.startsWith("\ufeff");
    }

    /**
     * Whether this SDK rejects a configuration that the peer accepts: one with a bad identifier, a blank inside a token, or
     * an unknown environment.
     */
    private static boolean isRefusedByDesign(VectorCase vector) {
        VectorObject expected = vector.expected();
        String environment = vector.input().object("env").stringOrNull("CARACAL_ENV");
        if (environment != null && !ENVIRONMENTS.contains(environment)) {
            return true;
        }
        return expected.hasValue("zone_id")
                && (!expected.string("zone_id").matches("[A-Za-z0-9_.:-]{1,128}")
                        || !expected.string("application_id").matches("[A-Za-z0-9_.:-]{1,128}")
                        || (expected.hasValue("subject_token")
                                && !expected.string("subject_token").matches("[\\x21-\\x7e]+")));
    }

    /** Loads, and compares with the recorded outcome of the peer. */
    static void judge(VectorCase vector, Map<String, String> places, Loading loading) throws Exception {
        VectorCase.VectorError error = vector.error();
        if (isAcceptedByDesign(vector)) {
            assertThat(loading.load().zoneId()).isEqualTo("zone-1");
            return;
        }
        if (error == null && !isRefusedByDesign(vector)) {
            Settings settings = loading.load();
            compare(vector.expected(), settings, CaracalConfig.from(settings));
            return;
        }
        Throwable thrown = catchThrowable(loading::load);
        assertThat(thrown).isInstanceOf(ConfigurationException.class);
        assertNoSecret(vector, String.valueOf(thrown.getMessage()));
        if (error != null && !error.runtimeText()) {
            assertThat(names(String.valueOf(thrown.getMessage()))).containsAll(names(expand(error.message(), places)));
        }
    }

    /** The settings that a message names; a variable and the key of a profile count as one. */
    static Set<String> names(String message) {
        Set<String> names = new TreeSet<>();
        Matcher matcher = NAME.matcher(message);
        while (matcher.find()) {
            String name = matcher.group();
            names.add(name.startsWith("CARACAL_") ? name.substring(8).toLowerCase(Locale.ROOT) : name);
            names.add(name.substring(name.lastIndexOf('.') + 1)
                    .toLowerCase(Locale.ROOT)
                    .replace("caracal_", ""));
        }
        return names;
    }

    private static void assertNoSecret(VectorCase vector, String message) {
        VectorObject env = vector.input().object("env");
        for (String name : Set.of("CARACAL_APP_CLIENT_SECRET", "CARACAL_BOOTSTRAP_TOKEN", "CARACAL_SUBJECT_TOKEN")) {
            String secret = env.stringOrNull(name);
            if (secret != null && secret.strip().length() > 4) {
                assertThat(message).doesNotContain(secret.strip());
            }
        }
    }

    private static void compare(VectorObject expected, Settings settings, CaracalConfig config) {
        boolean clientSecret = config.clientSecret().isPresent();
        assertThat(expected.string("mode")).isEqualTo(clientSecret ? "client_secret" : "bootstrap_token");
        assertThat(config.subjectToken().isPresent()).isEqualTo(!clientSecret);
        if (clientSecret) {
            assertThat(config.clientSecret().orElseThrow().resolve().block())
                    .isEqualTo(expected.string("client_secret"));
        } else {
            assertThat(config.subjectToken()).hasValue(expected.string("subject_token"));
        }
        assertThat(config.zoneId()).isEqualTo(expected.string("zone_id"));
        assertThat(config.applicationId()).isEqualTo(expected.string("application_id"));
        assertThat(config.coordinatorUrl()).isEqualTo(URI.create(expected.string("coordinator_url")));
        assertThat(config.gatewayUrl()).isEqualTo(URI.create(expected.string("gateway_url")));
        if (clientSecret) { // the peer has no exchanger, and so no values, in the other mode
            assertThat(config.stsUrl()).isEqualTo(URI.create(expected.string("sts_url")));
            assertThat(config.resourceIds()).isEqualTo(expected.strings("resource_ids"));
        }
        assertThat(config.resources().stream().map(binding -> binding.resource() + '=' + binding.upstreamPrefix()))
                .containsExactlyElementsOf(expected.objects("resources").stream()
                        .map(binding -> binding.string("resource_id") + '=' + binding.string("upstream_prefix"))
                        .toList());
        assertThat(config.defaultTtl().map(Duration::toSeconds).orElse(null))
                .isEqualTo(
                        expected.hasValue("default_ttl_seconds")
                                ? (long) expected.intOr("default_ttl_seconds", 0)
                                : null);
        assertThat(settings.insecureOverride()).isEqualTo(expected.bool("insecure_override_warning"));
        if (settings.insecureOverride()) {
            assertThat(settings.warnings()).anyMatch(warning -> warning.contains("CARACAL_ALLOW_INSECURE_CONFIG_URLS"));
        }
    }
}
