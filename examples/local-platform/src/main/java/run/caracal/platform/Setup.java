package run.caracal.platform;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.tomlj.Toml;
import org.tomlj.TomlArray;
import org.tomlj.TomlParseResult;
import org.tomlj.TomlPosition;
import org.tomlj.TomlTable;

/** Reads the set-up of a platform from TOML. All faults are reported in one error, each with its line. */
final class Setup {

    private static final Pattern ID = Pattern.compile("[A-Za-z0-9._:-]{1,128}");
    private static final Pattern OPERATION = Pattern.compile("[A-Z]+ /\\S*");
    private static final Set<String> TOP = Set.of("zone", "ports", "limits", "applications", "resources");
    private static final Set<String> APPLICATION = Set.of("id", "secret");
    private static final Set<String> RESOURCE =
            Set.of("id", "scopes", "owner", "upstream", "operations", "roles", "approvals");

    private record Fault(int line, String text) {}

    private final List<Fault> faults = new ArrayList<>();
    private final Set<String> applications = new HashSet<>();
    private final Set<String> resources = new HashSet<>();
    private LocalPlatform.Builder builder;

    private Setup(LocalPlatform.Builder builder) {
        this.builder = builder;
    }

    /** Reads a file, or else a class path resource. Blocks. */
    static void read(String location, LocalPlatform.Builder builder) {
        apply(location, text(location), builder);
    }

    /** Applies the text; nothing of it if it has a fault. */
    static void apply(String name, String toml, LocalPlatform.Builder builder) {
        TomlParseResult parsed = Toml.parse(toml);
        Setup check = new Setup(LocalPlatform.builder());
        parsed.errors().forEach(error -> check.fault(error.position(), String.valueOf(error.getMessage())));
        check.table(parsed);
        if (!check.faults.isEmpty()) {
            throw new IllegalArgumentException(name + " cannot be used:\n"
                    + check.faults.stream()
                            .sorted(Comparator.comparing(Fault::line))
                            .map(fault -> "  line " + fault.line() + ": " + fault.text())
                            .collect(Collectors.joining("\n")));
        }
        new Setup(builder).table(parsed);
    }

    private static String text(String location) {
        try {
            Path file = Path.of(location);
            if (Files.exists(file)) {
                return Files.readString(file);
            }
            ClassLoader loader = Thread.currentThread().getContextClassLoader();
            try (InputStream resource = loader == null
                    ? ClassLoader.getSystemResourceAsStream(location)
                    : loader.getResourceAsStream(location)) {
                if (resource == null) {
                    throw new IllegalArgumentException("there is neither a file " + file.toAbsolutePath()
                            + " nor a resource " + location + " on the class path");
                }
                return new String(resource.readAllBytes(), StandardCharsets.UTF_8);
            }
        } catch (IOException e) {
            throw new UncheckedIOException("cannot read " + location, e);
        }
    }

    private void table(TomlTable top) {
        checkKeys(top, "", TOP);
        String zone = text(top, "zone");
        if (zone != null && checkId(top, "zone", zone)) {
            builder = builder.zone(zone);
        }
        String ports = oneOf(top, "ports", Set.of("standard", "free"));
        if (ports != null) {
            builder = builder.ports(ports.equals("standard") ? Ports.standard() : Ports.free());
        }
        if ("off".equals(oneOf(top, "limits", Set.of("on", "off")))) {
            builder = builder.limits(PlatformLimits.unlimited());
        }
        tables(top, "applications").forEach(this::application);
        tables(top, "resources").forEach(this::resource);
    }

    private void application(TomlTable table) {
        checkKeys(table, "applications.", APPLICATION);
        String id = required(table, "an application", applications);
        if (id != null && checkId(table, "id", id)) {
            String secret = text(table, "secret");
            if (secret != null && secret.isBlank()) {
                fault(table, "secret", "secret is blank: leave it out for a random one");
            }
            builder = builder.application(id, secret == null ? LocalPlatform.Builder.randomSecret() : secret);
        }
    }

    private void resource(TomlTable table) {
        checkKeys(table, "resources.", RESOURCE);
        String id = required(table, "a resource", resources);
        if (id == null) {
            return;
        }
        List<String> scopes = texts(table, "scopes");
        ProtectedResource resource = ProtectedResource.of(id, scopes.toArray(String[]::new));
        String owner = text(table, "owner");
        if (owner != null && !applications.contains(owner)) {
            fault(table, "owner", "there is no application " + owner + " above");
        } else if (owner != null) {
            resource = resource.withOwner(owner);
        }
        String upstream = text(table, "upstream");
        if (upstream != null && checkUrl(table, upstream)) {
            resource = resource.withUpstream(upstream);
        }
        for (String operation : texts(table, "operations")) {
            if (!OPERATION.matcher(operation).matches()) {
                fault(table, "operations", "'" + operation + "' is no operation: write \"POST /charge\"");
                continue;
            }
            int space = operation.indexOf(' ');
            resource = resource.withOperation(operation.substring(0, space), operation.substring(space + 1));
        }
        TomlTable roles = tableOf(table, "roles");
        for (String role : roles.keySet()) {
            resource = resource.withRole(role, declared(roles, role, scopes));
        }
        TomlTable approvals = tableOf(table, "approvals");
        for (String tier : approvals.keySet()) {
            resource = resource.withApproval(tier, declared(approvals, tier, scopes));
        }
        builder = builder.resource(resource);
    }

    private String[] declared(TomlTable table, String key, List<String> scopes) {
        List<String> named = texts(table, key);
        named.stream()
                .filter(scope -> !scopes.contains(scope))
                .forEach(scope -> fault(table, key, "the resource declares no scope " + scope));
        return named.toArray(String[]::new);
    }

    private @Nullable String required(TomlTable table, String kind, Set<String> seen) {
        String id = text(table, "id");
        if (id == null && !table.contains("id")) {
            fault(table.inputPositionOf(List.of()), kind + " has no id");
        }
        if (id != null && id.isBlank()) {
            fault(table, "id", "id is blank");
            return null;
        }
        if (id != null && !seen.add(id)) {
            fault(table, "id", kind + " " + id + " stands here twice");
        }
        return id;
    }

    private boolean checkId(TomlTable table, String key, String id) {
        boolean fits = ID.matcher(id).matches();
        if (!fits) {
            fault(table, key, "'" + id + "' is no id: up to 128 of A-Z a-z 0-9 . _ : -");
        }
        return fits;
    }

    private boolean checkUrl(TomlTable table, String url) {
        try {
            URI uri = URI.create(url);
            if (uri.getHost() != null && Set.of("http", "https").contains(uri.getScheme())) {
                return true;
            }
        } catch (IllegalArgumentException e) {
            // Reported below.
        }
        fault(table, "upstream", "'" + url + "' is no absolute http URL");
        return false;
    }

    private void checkKeys(TomlTable table, String prefix, Set<String> known) {
        for (String key : table.keySet()) {
            if (!known.contains(key)) {
                fault(
                        table,
                        key,
                        "unknown key " + prefix + key + ", there are "
                                + known.stream().sorted().toList());
            }
        }
    }

    private @Nullable String oneOf(TomlTable table, String key, Set<String> values) {
        String value = text(table, key);
        if (value != null && !values.contains(value)) {
            fault(table, key, key + " is one of " + values.stream().sorted().toList() + ", not '" + value + "'");
            return null;
        }
        return value;
    }

    private @Nullable String text(TomlTable table, String key) {
        Object value = table.get(List.of(key));
        if (value != null && !(value instanceof String)) {
            fault(table, key, key + " must be a string");
        }
        return value instanceof String text ? text : null;
    }

    private List<String> texts(TomlTable table, String key) {
        Object value = table.get(List.of(key));
        if (value == null) {
            return List.of();
        }
        if (value instanceof TomlArray array && array.toList().stream().allMatch(String.class::isInstance)) {
            return array.toList().stream().map(String.class::cast).toList();
        }
        fault(table, key, key + " must be a list of strings");
        return List.of();
    }

    private TomlTable tableOf(TomlTable table, String key) {
        Object value = table.get(List.of(key));
        if (value instanceof TomlTable found) {
            return found;
        }
        if (value != null) {
            fault(table, key, key + " must be a table");
        }
        return Toml.parse("");
    }

    private List<TomlTable> tables(TomlTable table, String key) {
        Object value = table.get(List.of(key));
        if (value == null) {
            return List.of();
        }
        if (value instanceof TomlArray array && array.toList().stream().allMatch(TomlTable.class::isInstance)) {
            return array.toList().stream().map(TomlTable.class::cast).toList();
        }
        fault(table, key, key + " must be tables: begin each with [[" + key + "]]");
        return List.of();
    }

    private void fault(TomlTable table, String key, String text) {
        fault(table.inputPositionOf(List.of(key)), text);
    }

    private void fault(@Nullable TomlPosition position, String text) {
        faults.add(new Fault(position == null ? 1 : position.line(), text));
    }
}
