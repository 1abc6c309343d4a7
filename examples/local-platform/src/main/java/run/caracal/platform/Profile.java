package run.caracal.platform;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.FileAttribute;
import java.nio.file.attribute.PosixFilePermissions;
import java.util.List;
import java.util.Set;

/** Writes the profile of a client, and its secret, to files that only their owner can read. */
final class Profile {

    static final String NAME = "caracal.toml";
    static final String SECRET_NAME = "client-secret";

    private Profile() {}

    static Path write(Path directory, LocalPlatform platform) {
        Path secret = directory.resolve(SECRET_NAME).toAbsolutePath();
        Path profile = directory.resolve(NAME).toAbsolutePath();
        StringBuilder toml = new StringBuilder();
        line(toml, "zone_id", platform.zoneId());
        line(toml, "application_id", platform.applicationId());
        line(toml, "app_client_secret_file", secret.toString());
        line(toml, "sts_url", platform.stsUrl());
        line(toml, "coordinator_url", platform.coordinatorUrl());
        line(toml, "gateway_url", platform.gatewayUrl());
        platform.resourcePrefixes().forEach((resource, prefix) -> {
            toml.append("\n[[credentials]]\n");
            line(toml, "resource", resource);
            line(toml, "upstream_prefix", prefix);
            List<String> scopes = platform.resourceScopes().getOrDefault(resource, List.of());
            if (!scopes.isEmpty()) {
                toml.append("scopes = ")
                        .append(scopes.stream().map(Profile::quoted).toList())
                        .append('\n');
            }
        });
        try {
            Files.createDirectories(directory);
            writePrivately(secret, platform.clientSecret());
            writePrivately(profile, toml.toString());
        } catch (IOException e) {
            throw new UncheckedIOException("cannot write a profile to " + directory, e);
        }
        return profile;
    }

    private static void line(StringBuilder toml, String key, String value) {
        toml.append(key).append(" = ").append(quoted(value)).append('\n');
    }

    private static String quoted(String value) {
        return '"' + value.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    private static void writePrivately(Path file, String content) throws IOException {
        Files.deleteIfExists(file);
        boolean posix = file.getFileSystem().supportedFileAttributeViews().contains("posix");
        FileAttribute<?>[] attributes = posix
                ? new FileAttribute<?>[] {
                    PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------"))
                }
                : new FileAttribute<?>[0];
        try (var channel = Files.newByteChannel(
                file, Set.of(StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE), attributes)) {
            var bytes = ByteBuffer.wrap(content.getBytes(StandardCharsets.UTF_8));
            while (bytes.hasRemaining()) {
                channel.write(bytes);
            }
        }
    }
}
