package run.caracal.internal.config;

import java.net.URI;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.IntFunction;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.tomlj.TomlArray;
import org.tomlj.TomlTable;

/**
 * Loads a configuration from the environment or from a profile: a function of what {@link Host} holds, and of the files
 * that it names.
 */
public final class ConfigLoader {
    /** The variable that names a profile. */
    public static final String CONFIG = "CARACAL_CONFIG";

    /** The name of the profile in the default directory. */
    public static final String PROFILE_NAME = "caracal.toml";

    private static final String CONFIG_HOME = "CARACAL_CONFIG_HOME";
    private static final String ENVIRONMENT = "environment variable";
    private static final String ZONE_ID = "CARACAL_ZONE_ID";
    private static final String APPLICATION_ID = "CARACAL_APPLICATION_ID";
    private static final String SECRET = "CARACAL_APP_CLIENT_SECRET";
    private static final String SECRET_FILE = "CARACAL_APP_CLIENT_SECRET_FILE";
    private static final String SUBJECT_TOKEN = "CARACAL_SUBJECT_TOKEN";
    private static final String BOOTSTRAP_TOKEN = "CARACAL_BOOTSTRAP_TOKEN";
    private static final String COORDINATOR_URL = "CARACAL_COORDINATOR_URL";
    private static final String STS_URL = "CARACAL_STS_URL";
    private static final String ZONE_URL = "CARACAL_ZONE_URL";
    private static final String GATEWAY_URL = "CARACAL_GATEWAY_URL";
    private static final String DEFAULT_TTL = "CARACAL_DEFAULT_TTL_SECONDS";
    private static final String MAX_OPEN_SESSIONS = "CARACAL_MAX_OPEN_SESSIONS";
    private static final String SESSION_ACQUIRE_TIMEOUT = "CARACAL_SESSION_ACQUIRE_TIMEOUT_SECONDS";
    private static final String MAX_MINTS_PER_MINUTE = "CARACAL_MAX_MINTS_PER_MINUTE";
    private static final String PROPAGATION = "CARACAL_PROPAGATION";
    private static final String GROUP_READABLE_KEY = "allow_group_readable_secrets";
    private static final Pattern NUMBER = Pattern.compile("-?[0-9]{1,18}");

    /** The keys of a profile: the SDK reads the first group, other tools of the platform the second. */
    private static final Set<String> PROFILE_KEYS = Set.of(
            "zone_id",
            "application_id",
            "app_client_secret",
            "app_client_secret_file",
            "sts_url",
            "zone_url",
            "coordinator_url",
            "gateway_url",
            "default_ttl_seconds",
            "max_open_sessions",
            "session_acquire_timeout_seconds",
            "max_mints_per_minute",
            "propagation",
            GROUP_READABLE_KEY,
            "credentials",
            "optional_credentials");

    private static final String PRODUCTION = "production";
    private static final String INSECURE_KEY = "allow_insecure_config_urls";
    private static final String SECRET_KEY = "app_client_secret";
    private static final String SECRET_FILE_KEY = "app_client_secret_file";

    /** The keys that a framework's properties may set over profile and environment. */
    private static final Set<String> OVERRIDE_KEYS = Set.of(
            "zone_id",
            "application_id",
            SECRET_KEY,
            SECRET_FILE_KEY,
            "sts_url",
            "coordinator_url",
            "gateway_url",
            "default_ttl_seconds",
            "max_open_sessions",
            "session_acquire_timeout_seconds",
            "max_mints_per_minute",
            "propagation",
            GROUP_READABLE_KEY,
            PRODUCTION,
            INSECURE_KEY);

    private static final Pattern CREDENTIAL_KEY =
            Pattern.compile("credentials\\[([0-9]{1,4})]\\.(resource|upstream_prefix|scopes)");

    private static final Set<String> PROPAGATION_WORDS = Set.of("gateway", "resources", "everywhere");
    private static final Set<String> CREDENTIAL_KEYS = Set.of("resource", "upstream_prefix", "scopes");
    private static final Set<String> PLATFORM_KEYS = Set.of("env", "ttl_seconds");

    /** The variables that are ignored with a profile, because identity comes from one source. */
    private static final List<String> NOT_BESIDE_PROFILE = List.of(
            ZONE_ID,
            APPLICATION_ID,
            SECRET,
            SECRET_FILE,
            SUBJECT_TOKEN,
            BOOTSTRAP_TOKEN,
            ResourceSettings.APP_RESOURCES);

    private final Host host;
    private final @Nullable Path profile;
    private final @Nullable TomlTable table;
    private final Map<String, Given> overrides;
    private final boolean ownCredential;
    private final Problems problems = new Problems();
    private final List<String> warnings = new ArrayList<>();
    private final Set<String> reported = new HashSet<>();
    private final ResourceSettings resources = new ResourceSettings(problems);
    private @Nullable String clientSecret;
    private @Nullable Path clientSecretFile;
    private boolean groupReadableSecrets;

    private ConfigLoader(Host host, @Nullable Path profile, @Nullable TomlTable table, Overrides over) {
        this.host = host;
        this.profile = profile;
        this.table = table;
        this.overrides = over.settings();
        this.ownCredential = over.ownCredential();
    }

    /**
     * A value that wins over those of profile and environment.
     *
     * @param setting its name where it was set, for messages
     * @param source where it was set, for messages
     * @param value the value; empty counts as unset
     */
    public record Given(String setting, String source, String value) {
        /** Shows no value. */
        @Override
        public String toString() {
            return setting + " (" + source + ')';
        }
    }

    /**
     * Overrides of profile and environment, key by key.
     *
     * @param settings the values by the key of a profile; {@code credentials[0].resource} for those of a binding
     * @param ownCredential whether a client secret comes from elsewhere, so that none is looked for
     */
    public record Overrides(Map<String, Given> settings, boolean ownCredential) {
        /** Nothing. */
        public static final Overrides NONE = new Overrides(Map.of(), false);

        /** Keeps the order. */
        public Overrides {
            settings = Collections.unmodifiableMap(new LinkedHashMap<>(settings));
        }

        /** Whether there is such a key. */
        public static boolean isKey(String key) {
            return OVERRIDE_KEYS.contains(key) || CREDENTIAL_KEY.matcher(key).matches();
        }
    }

    /**
     * Loads the profile that {@code CARACAL_CONFIG} names, else the one in the default directory when it exists, else the
     * environment.
     */
    public static Settings lookup(Host host) {
        return lookup(host, Overrides.NONE);
    }

    /**
     * As {@link #lookup(Host)}, with settings that win over what is found.
     *
     * @throws ConfigurationException with all faults
     */
    public static Settings lookup(Host host, Overrides over) {
        Path named = named(host);
        if (named != null) {
            return profile(host, named, over);
        }
        String home = host.variables().getOrDefault(CONFIG_HOME, "");
        if (!home.isEmpty() && Host.absolute(home) == null) {
            Problems problems = new Problems();
            problems.add(CONFIG_HOME, ENVIRONMENT, "must be the absolute path of a directory");
            problems.throwIfAny();
        }
        Path directory = host.defaultDirectory();
        if (directory != null && Files.exists(directory.resolve(PROFILE_NAME))) {
            return profile(host, directory.resolve(PROFILE_NAME), over);
        }
        return new ConfigLoader(host, null, null, over).load();
    }

    /**
     * Loads the environment: the profile that {@code CARACAL_CONFIG} names, else the variables. A profile in the default
     * directory is not looked for.
     */
    public static Settings environment(Host host) {
        Path named = named(host);
        return named == null ? new ConfigLoader(host, null, null, Overrides.NONE).load() : profile(host, named);
    }

    private static @Nullable Path named(Host host) {
        String named = host.variables().getOrDefault(CONFIG, "");
        if (named.isEmpty()) {
            return null;
        }
        Problems problems = new Problems();
        try {
            if (Text.isBlank(named)) {
                throw new Fault(blank());
            }
            Path path = path(named);
            if (!Files.exists(path)) {
                throw new Fault("names the profile " + path.toAbsolutePath()
                        + ", which does not exist: correct the path, or unset the variable");
            }
            return path;
        } catch (Fault e) {
            problems.add(CONFIG, ENVIRONMENT, e.text());
        }
        problems.throwIfAny();
        return null;
    }

    /** Loads a profile, completed by the environment. */
    public static Settings profile(Host host, Path file) {
        return profile(host, file, Overrides.NONE);
    }

    private static Settings profile(Host host, Path file, Overrides over) {
        Path absolute = file.toAbsolutePath();
        TomlTable table;
        try {
            table = ProfileFile.read(absolute);
        } catch (Fault e) {
            Problems problems = new Problems();
            problems.add("profile", absolute.toString(), e.text());
            problems.throwIfAny();
            throw new IllegalStateException(e);
        }
        return new ConfigLoader(host, absolute, table, over).load();
    }

    private Settings load() {
        boolean production = isProduction();
        boolean allowInsecure = flag(first(over(INSECURE_KEY), variable(Rules.ALLOW_INSECURE)));
        groupReadableSecrets = allowsGroupReadableSecrets();

        String zoneId = identifier("zone_id", ZONE_ID);
        String applicationId = identifier("application_id", APPLICATION_ID);
        readClientSecret();
        String subjectToken = subjectToken();
        checkCredentials();

        URI coordinatorUrl = serviceUrl(
                first(over("coordinator_url"), first(key("coordinator_url"), variable(COORDINATOR_URL))),
                COORDINATOR_URL,
                production,
                allowInsecure);
        URI stsUrl = serviceUrl(stsValue(), STS_URL, production, allowInsecure);
        URI gatewayUrl = serviceUrl(
                first(over("gateway_url"), first(key("gateway_url"), variable(GATEWAY_URL))),
                GATEWAY_URL,
                production,
                allowInsecure);
        Duration defaultTtl = defaultTtl();
        Integer maxOpenSessions = count("max_open_sessions", MAX_OPEN_SESSIONS, Rules::maxOpenSessions);
        Integer acquireSeconds = count(
                "session_acquire_timeout_seconds",
                SESSION_ACQUIRE_TIMEOUT,
                seconds -> Rules.timeout(Duration.ofSeconds(seconds)));
        Integer maxMintsPerMinute = count("max_mints_per_minute", MAX_MINTS_PER_MINUTE, Rules::maxMintsPerMinute);
        List<String> propagation = propagation(production, allowInsecure);
        readResources();
        warnOfIgnored();
        problems.throwIfAny();

        boolean override = production && (insecure(coordinatorUrl) || insecure(stsUrl) || insecure(gatewayUrl));
        if (override) {
            warnings.add(Rules.INSECURE_OVERRIDE);
        }
        return new Settings(
                (profile == null ? "the environment" : "the profile " + profile) + overridden(),
                List.copyOf(warnings),
                zoneId,
                applicationId,
                clientSecret,
                clientSecretFile,
                groupReadableSecrets,
                subjectToken,
                stsUrl,
                coordinatorUrl,
                gatewayUrl,
                resources.asked(),
                resources.prefixes(),
                resources.scopes(),
                defaultTtl,
                maxOpenSessions,
                acquireSeconds == null ? null : Duration.ofSeconds(acquireSeconds),
                maxMintsPerMinute,
                propagation,
                production,
                allowInsecure,
                override);
    }

    /** Which settings came from elsewhere, and from where. */
    private String overridden() {
        return overrides.isEmpty()
                ? ""
                : overrides.entrySet().stream()
                        .map(entry -> entry.getKey() + " = " + entry.getValue())
                        .collect(Collectors.joining(", ", ", except for ", ""));
    }

    // ---- identity

    private String identifier(String key, String name) {
        Value value = first(over(key), table == null ? variable(name) : key(key));
        if (value == null) {
            String setting = table == null ? name : key;
            if (!reported.contains(setting) && !isOver(key)) {
                problems.add(setting, source(), "is missing: " + missingRemedy(key, name));
            }
            return "";
        }
        problems.check(value.setting, value.source, Rules.id(value.text));
        return value.text;
    }

    private String missingRemedy(String key, String name) {
        if (profile != null) {
            return "add " + key + " to the profile (" + name + " is not read beside one)";
        }
        Path directory = host.defaultDirectory();
        return "set it, or provide a profile with " + CONFIG
                + (directory == null ? "" : " or as " + directory.resolve(PROFILE_NAME));
    }

    private void readClientSecret() {
        if (isCredentialOver()) {
            readOverridingSecret();
            return;
        }
        Value inline = table == null ? variable(SECRET) : key("app_client_secret");
        Value file = table == null ? variable(SECRET_FILE) : key("app_client_secret_file");
        if (isSet("app_client_secret", SECRET) && isSet("app_client_secret_file", SECRET_FILE)) {
            problems.add(
                    table == null ? SECRET : "app_client_secret",
                    source(),
                    "is set and so is " + (table == null ? SECRET_FILE : "app_client_secret_file") + ": set only one");
            return;
        }
        if (inline != null) {
            if (profile != null) {
                try {
                    ConfigFiles.requirePrivate(
                            profile, groupReadableSecrets, "a profile that carries an inline app_client_secret");
                } catch (Fault e) {
                    problems.add(inline.setting, inline.source, e.text());
                }
            }
            problems.check(inline.setting, inline.source, Rules.clientSecret(inline.text));
            if (table == null && isQuoted(inline.text)) {
                warnings.add(
                        SECRET + " begins and ends with quotes, which count as part of the secret: an env file that is"
                                + " read to the letter keeps them");
            }
            clientSecret = inline.text;
            return;
        }
        if (file != null) {
            readSecretFile(file);
        }
    }

    private void readOverridingSecret() {
        Value inline = over(SECRET_KEY);
        Value file = over(SECRET_FILE_KEY);
        if (inline != null && file != null) {
            problems.add(inline.setting, inline.source, "is set and so is " + file.setting + ": set only one");
        } else if (inline != null) {
            problems.check(inline.setting, inline.source, Rules.clientSecret(inline.text));
            clientSecret = inline.text;
        } else if (file != null) {
            readSecretFile(file);
        }
    }

    private void readSecretFile(Value file) {
        try {
            Path path = path(file.text);
            if (profile != null && !isOver(SECRET_FILE_KEY)) {
                path = profile.resolveSibling(path);
            }
            // Read now so that a fault shows at the start; the resolver reads again.
            String unused = ConfigFiles.readSecret(path, groupReadableSecrets);
            clientSecretFile = path;
        } catch (Fault e) {
            problems.add(file.setting, file.source, e.text());
        }
    }

    private static boolean isQuoted(String text) {
        char first = text.charAt(0);
        return text.length() > 1 && (first == '"' || first == '\'') && text.charAt(text.length() - 1) == first;
    }

    /** Whether the client secret is given over the other sources, which then have none. */
    private boolean isCredentialOver() {
        return ownCredential || isOver(SECRET_KEY) || isOver(SECRET_FILE_KEY);
    }

    private @Nullable String subjectToken() {
        if (table != null || isCredentialOver()) {
            return null;
        }
        Value subject = variable(SUBJECT_TOKEN);
        Value bootstrap = variable(BOOTSTRAP_TOKEN);
        if (subject != null && bootstrap != null && !subject.text.equals(bootstrap.text)) {
            problems.add(
                    SUBJECT_TOKEN, ENVIRONMENT, "differs from " + BOOTSTRAP_TOKEN + ", its other name: set only one");
            return null;
        }
        Value token = first(subject, bootstrap);
        if (token == null) {
            return null;
        }
        problems.check(token.setting, token.source, Rules.subjectToken(token.text, host.clock()));
        return token.text;
    }

    private void checkCredentials() {
        if (isCredentialOver()) {
            return;
        }
        boolean secret = isSet("app_client_secret", SECRET) || isSet("app_client_secret_file", SECRET_FILE);
        boolean token = table == null && (isSet("", SUBJECT_TOKEN) || isSet("", BOOTSTRAP_TOKEN));
        if (profile != null && !secret) {
            problems.add(
                    "app_client_secret",
                    source(),
                    "is missing: set app_client_secret, or app_client_secret_file to a file relative to "
                            + profile.getParent() + " (no file there is read by convention)");
        } else if (profile == null && secret && token) {
            problems.add(
                    SECRET,
                    ENVIRONMENT,
                    "(or its _FILE) is set and so is a static token: configure exactly one of " + SECRET + ", "
                            + SUBJECT_TOKEN + " and " + BOOTSTRAP_TOKEN);
        } else if (profile == null && !secret && !token) {
            problems.add(
                    SECRET,
                    ENVIRONMENT,
                    "is missing: provide " + SECRET + " or " + SECRET_FILE + ", or a static token in " + SUBJECT_TOKEN
                            + " or " + BOOTSTRAP_TOKEN);
        }
    }

    // ---- services

    private @Nullable Value stsValue() {
        Value key = newer(key("sts_url"), key("zone_url"));
        Value variable = newer(variable(STS_URL), variable(ZONE_URL));
        return first(over("sts_url"), first(key, variable));
    }

    private @Nullable Value newer(@Nullable Value value, @Nullable Value older) {
        if (value != null && older != null && !value.text.equals(older.text)) {
            warnings.add(older.setting + " (" + older.source + ") is ignored: " + value.setting
                    + ", its newer name, is set to something else");
        }
        return first(value, older);
    }

    private @Nullable URI serviceUrl(@Nullable Value value, String name, boolean production, boolean allowInsecure) {
        if (value == null) {
            String key =
                    name.equals(STS_URL) ? "sts_url" : name.equals(COORDINATOR_URL) ? "coordinator_url" : "gateway_url";
            if (production && !reported.contains(name) && !reported.contains(key) && !isOver(key)) {
                problems.add(
                        name,
                        profile == null ? ENVIRONMENT : ENVIRONMENT + ", or " + key + " in " + profile,
                        "is required in production: there is no default for it");
            }
            return null;
        }
        String text = name.equals(STS_URL) ? Rules.stripSlashes(value.text) : value.text;
        return problems.passes(value.setting, value.source, Rules.serviceUrl(text, production, allowInsecure))
                ? Rules.uri(text)
                : null;
    }

    private boolean isProduction() {
        if (isOver(PRODUCTION)) {
            return flag(over(PRODUCTION));
        }
        Value env = variable(Rules.ENV);
        if (env == null) {
            return false;
        }
        problems.check(env.setting, env.source, Rules.environment(env.text));
        return Rules.isProduction(env.text);
    }

    private boolean flag(@Nullable Value value) {
        return value != null
                && problems.passes(value.setting, value.source, Rules.flag(value.text))
                && Rules.isOn(value.text);
    }

    private boolean allowsGroupReadableSecrets() {
        if (isOver(GROUP_READABLE_KEY)) {
            return flag(over(GROUP_READABLE_KEY));
        }
        Object key = table == null ? null : table.get(List.of(GROUP_READABLE_KEY));
        if (key == null) {
            return flag(variable(Rules.ALLOW_GROUP_READABLE));
        }
        if (key instanceof Boolean flag) {
            return flag;
        }
        problems.add(GROUP_READABLE_KEY, source(), "must be true or false, without quotes");
        return false;
    }

    private static boolean insecure(@Nullable URI uri) {
        return uri != null && Rules.isInsecure(uri);
    }

    // ---- behaviour

    private @Nullable Duration defaultTtl() {
        Count count = count("default_ttl_seconds", DEFAULT_TTL);
        if (count == null) {
            return null;
        }
        Duration ttl = count.number == null || count.number < 0 ? null : Duration.ofSeconds(count.number);
        problems.check(count.setting, count.source, ttl == null ? Rules.NO_TTL : Rules.ttl(ttl));
        return ttl;
    }

    private @Nullable Integer count(String key, String name, IntFunction<@Nullable String> rule) {
        Count count = count(key, name);
        if (count == null) {
            return null;
        }
        if (count.number == null || count.number != count.number.intValue()) {
            problems.add(count.setting, count.source, "must be a whole number");
            return null;
        }
        problems.check(count.setting, count.source, rule.apply(count.number.intValue()));
        return count.number.intValue();
    }

    /** A setting that counts something; its number is {@code null} when it is none, or too large to count anything. */
    private record Count(
            String setting, String source, @Nullable Long number) {}

    private @Nullable Count count(String key, String name) {
        if (table != null && isKey(key) && !isOver(key)) {
            return new Count(key, source(), table.get(List.of(key)) instanceof Long number ? number : null);
        }
        Value value = isOver(key) ? over(key) : variable(name);
        if (value == null) {
            return null;
        }
        String digits = Text.strip(value.text);
        return new Count(value.setting, value.source, NUMBER.matcher(digits).matches() ? Long.valueOf(digits) : null);
    }

    private List<String> propagation(boolean production, boolean allowInsecure) {
        Value value = over("propagation");
        if (value == null && table != null && table.get(List.of("propagation")) instanceof TomlArray array) {
            value = new Value("propagation", source(), String.join(",", strings(array, "propagation")));
        } else if (value == null) {
            value = first(key("propagation"), variable(PROPAGATION));
        }
        if (value == null) {
            return List.of();
        }
        List<String> choice = Stream.of(value.text.split(",", -1))
                .map(Text::strip)
                .filter(entry -> !entry.isEmpty())
                .toList();
        boolean isWord = choice.size() == 1 && PROPAGATION_WORDS.contains(Text.strip(value.text));
        boolean areOrigins =
                !choice.isEmpty() && choice.stream().allMatch(origin -> HttpAddress.parseOrigin(origin) != null);
        if (!isWord && !areOrigins) {
            problems.add(
                    value.setting,
                    value.source,
                    "must be gateway, resources, everywhere, or origins such as https://api.example.com separated by"
                            + " commas");
        } else if (areOrigins) {
            problems.check(value.setting, value.source, Rules.identityOrigins(choice, production, allowInsecure));
        }
        return choice;
    }

    // ---- resources

    private void readResources() {
        if (table != null) {
            credentials(table, "credentials");
            credentials(table, "optional_credentials");
        } else {
            Value asked = variable(ResourceSettings.APP_RESOURCES);
            if (asked != null) {
                resources.askVariable(asked.text, asked.source);
            }
        }
        Value file = variable(ResourceSettings.RESOURCES_FILE);
        if (file != null) {
            try {
                resources.file(path(file.text), file.source);
            } catch (Fault e) {
                problems.add(file.setting, file.source, e.text());
            }
        }
        Value bindings = variable(ResourceSettings.RESOURCES);
        if (bindings != null) {
            resources.variable(bindings.text, bindings.source);
        }
        Value scopes = variable(ResourceSettings.RESOURCE_SCOPES);
        if (scopes != null) {
            resources.scopesVariable(scopes.text, scopes.source);
        }
        overridingCredentials();
    }

    private void overridingCredentials() {
        overrides.keySet().stream()
                .map(CREDENTIAL_KEY::matcher)
                .filter(Matcher::matches)
                .map(key -> "credentials[" + key.group(1) + "].")
                .distinct()
                .forEach(this::overridingCredential);
    }

    private void overridingCredential(String key) {
        Value id = over(key + "resource");
        Value prefix = over(key + "upstream_prefix");
        Value scopes = over(key + "scopes");
        if (id == null) {
            Value other = first(prefix, scopes);
            if (other != null) {
                problems.add(other.setting, other.source, "is set, and the id of its resource is not: add it");
            }
            return;
        }
        problems.check(id.setting, id.source, Rules.resourceId(id.text));
        resources.ask(id.text);
        if (prefix != null && problems.passes(prefix.setting, prefix.source, Rules.upstreamPrefix(prefix.text))) {
            resources.bind(id.text, prefix.text);
        }
        if (scopes != null) {
            List<String> words = ResourceSettings.words(scopes.text);
            problems.check(scopes.setting, scopes.source, Rules.scopes(words));
            resources.scopes(id.text, words);
        }
    }

    private void credentials(TomlTable parent, String key) {
        Object value = parent.get(List.of(key));
        if (value == null) {
            return;
        }
        if (!(value instanceof TomlArray array)) {
            problems.add(key, source(), "must be an array of tables, each begun with [[" + key + "]]");
            return;
        }
        for (int i = 0; i < array.size(); i++) {
            String setting = key + '[' + i + ']';
            if (array.get(i) instanceof TomlTable credential) {
                credential(credential, setting);
            } else {
                problems.add(setting, source(), "must be a table");
            }
        }
    }

    private void credential(TomlTable credential, String setting) {
        unknownKeys(credential, CREDENTIAL_KEYS, setting + '.');
        Value id = text(credential, "resource", setting + '.');
        Value prefix = text(credential, "upstream_prefix", setting + '.');
        List<String> scopes = scopes(credential, setting + ".scopes");
        if (id == null) {
            if (!reported.contains(setting + ".resource")) {
                problems.add(setting + ".resource", source(), "is required: the id of the resource");
            }
            return;
        }
        problems.check(id.setting, id.source, Rules.resourceId(id.text));
        resources.ask(id.text);
        if (prefix != null && problems.passes(prefix.setting, prefix.source, Rules.upstreamPrefix(prefix.text))) {
            resources.bind(id.text, prefix.text);
        }
        if (!scopes.isEmpty()) {
            resources.scopes(id.text, scopes);
        }
    }

    private List<String> scopes(TomlTable credential, String setting) {
        Object value = credential.get(List.of("scopes"));
        List<String> scopes;
        if (value instanceof String text) {
            scopes = ResourceSettings.words(text);
        } else if (value instanceof TomlArray array) {
            scopes = strings(array, setting);
        } else {
            scopes = List.of();
            if (value != null) {
                problems.add(setting, source(), "must be an array of strings");
            }
        }
        problems.check(setting, source(), Rules.scopes(scopes));
        return scopes;
    }

    // ---- values

    /** A value that is neither empty nor blank, with the names under which its faults are reported. */
    private record Value(String setting, String source, String text) {
        @Override
        public String toString() {
            return setting;
        }
    }

    private static @Nullable Value first(@Nullable Value one, @Nullable Value other) {
        return one == null ? other : one;
    }

    private String source() {
        return profile == null ? ENVIRONMENT : profile.toString();
    }

    /** A value that wins over the other sources; empty is unset, blank is a fault. */
    private @Nullable Value over(String key) {
        Given given = overrides.get(key);
        return given == null ? null : present(given.value(), given.setting(), given.source());
    }

    /** Whether the other sources are not asked for this key. */
    private boolean isOver(String key) {
        Given given = overrides.get(key);
        return given != null && !given.value().isEmpty();
    }

    /** An environment variable; empty is unset, blank is a fault. */
    private @Nullable Value variable(String name) {
        return present(host.variables().getOrDefault(name, ""), name, ENVIRONMENT);
    }

    /** A text of the profile; empty is unset, and blank or any other type is a fault. */
    private @Nullable Value key(String key) {
        return table == null ? null : text(table, key, "");
    }

    private @Nullable Value text(TomlTable parent, String key, String prefix) {
        Object value = parent.get(List.of(key));
        String setting = prefix + key;
        if (value == null) {
            return null;
        }
        if (!(value instanceof String text)) {
            if (reported.add(setting)) {
                problems.add(setting, source(), "must be a string: put it in quotes");
            }
            return null;
        }
        return present(text, setting, source());
    }

    private @Nullable Value present(String text, String setting, String source) {
        if (text.isEmpty()) {
            return null;
        }
        if (Text.isBlank(text)) {
            if (reported.add(setting)) {
                problems.add(setting, source, blank());
            }
            return null;
        }
        return new Value(setting, source, text);
    }

    private static String blank() {
        return "is blank: give it a value, or leave it out";
    }

    /** Whether there is a value at all, usable or not. */
    private boolean isSet(String key, String name) {
        return table == null ? !host.variables().getOrDefault(name, "").isEmpty() : isKey(key);
    }

    private boolean isKey(String key) {
        Object value = table == null ? null : table.get(List.of(key));
        return value != null && !value.equals("");
    }

    private List<String> strings(TomlArray array, String setting) {
        List<String> strings = new ArrayList<>();
        for (int i = 0; i < array.size(); i++) {
            if (array.get(i) instanceof String text) {
                strings.add(text);
            } else {
                problems.add(setting + '[' + i + ']', source(), "must be a string");
            }
        }
        return strings;
    }

    private static Path path(String text) throws Fault {
        try {
            return Path.of(text);
        } catch (InvalidPathException e) {
            throw new Fault("is not a path of this file system");
        }
    }

    private void warnOfIgnored() {
        if (table == null) {
            return;
        }
        unknownKeys(table, PROFILE_KEYS, "");
        List<String> ignored = NOT_BESIDE_PROFILE.stream()
                .filter(name -> !host.variables().getOrDefault(name, "").isEmpty())
                .toList();
        if (!ignored.isEmpty()) {
            warnings.add(String.join(", ", ignored) + " (environment): not read beside a profile: " + profile
                    + " names the application and what it asks for");
        }
    }

    private void unknownKeys(TomlTable parent, Set<String> known, String prefix) {
        for (String key : parent.keySet()) {
            if (!known.contains(key) && !PLATFORM_KEYS.contains(key)) {
                warnings.add("unknown key " + prefix + ResourceSettings.printable(key) + " in " + profile
                        + " is ignored: is it misspelt?");
            }
        }
    }
}
