package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * An application outside of this build, which resolves the artifacts from a repository, as published. Runs after packaging, so
 * not among the tests; skipped, with the reason, without Maven.
 */
final class OutsideApplication {

    private static final Path APPLICATION = Path.of("src", "test", "outside");
    private static final Path PARENT = Path.of("..", "..");
    private static final Pattern PLACE = Pattern.compile("%([a-z-]+)%");
    private static final long LIMIT_SECONDS = 180;

    private final String parentPom = read(PARENT.resolve("pom.xml"));

    @Test
    void testsItselfWithTheExtensionAndTheTestClient(@TempDir Path directory) throws Exception {
        Path maven = given("maven.home").resolve("bin").resolve("mvn");
        Path known = given("localRepository");
        assume(Files.isExecutable(maven), "there is no " + maven);
        Path repository = directory.resolve("repository");
        install(known, repository);
        Path application = directory.resolve("application");
        copy(application);

        Path log = directory.resolve("log");
        Process build = new ProcessBuilder(
                        maven.toString(),
                        "--offline",
                        "--batch-mode",
                        "-Dmaven.legacyLocalRepo=true",
                        "-Dmaven.repo.local=" + repository,
                        "test")
                .directory(application.toFile())
                .redirectErrorStream(true)
                .redirectOutput(log.toFile())
                .start();
        try {
            assertThat(build.waitFor(LIMIT_SECONDS, TimeUnit.SECONDS))
                    .as("%s", read(log))
                    .isTrue();
        } finally {
            build.destroyForcibly();
        }
        assertThat(read(log)).contains("Tests run: 3, Failures: 0, Errors: 0, Skipped: 0", "BUILD SUCCESS");
    }

    private static Path given(String property) {
        String value = System.getProperty(property, "");
        assume(!value.isEmpty(), "the property " + property + " is not set");
        return Path.of(value);
    }

    private static void assume(boolean holds, String otherwise) {
        if (!holds) {
            System.out.println("No application outside this build is tested: " + otherwise + ".");
        }
        assumeTrue(holds, otherwise);
    }

    /** Its own repository: the artifacts of this build, and links to the build's dependencies. */
    private void install(Path known, Path repository) throws IOException {
        Path own = Files.createDirectories(repository.resolve("run").resolve("caracal"));
        try (Stream<Path> groups = Files.list(known)) {
            for (Path group : groups.toList()) {
                Path link = repository.resolve(Objects.requireNonNull(group.getFileName()));
                if (!Files.exists(link)) {
                    assertThat(Files.createSymbolicLink(link, group)).exists();
                }
            }
        }
        install(own, "caracal-parent", PARENT, null);
        for (Module module : List.of(
                new Module("caracal-core", PARENT.resolve("core")),
                new Module("caracal-netty-transport", PARENT.resolve("netty-transport")),
                new Module("caracal-local-platform", Path.of("")))) {
            String jar = module.artifact() + "-" + version("caracal") + ".jar";
            install(
                    own,
                    module.artifact(),
                    module.home(),
                    module.home().resolve("target").resolve(jar));
        }
    }

    private record Module(String artifact, Path home) {}

    private void install(Path own, String artifact, Path home, @Nullable Path jar) throws IOException {
        String name = artifact + "-" + version("caracal");
        Path directory = Files.createDirectories(own.resolve(artifact).resolve(version("caracal")));
        assertThat(Files.copy(home.resolve("pom.xml"), directory.resolve(name + ".pom")))
                .exists();
        if (jar != null) {
            assertThat(Files.copy(jar, directory.resolve(name + ".jar"))).exists();
        }
    }

    private void copy(Path target) throws IOException {
        try (Stream<Path> files = Files.walk(APPLICATION)) {
            for (Path file : files.filter(Files::isRegularFile).toList()) {
                Path copy = target.resolve(APPLICATION.relativize(file));
                assertThat(Files.createDirectories(Objects.requireNonNull(copy.getParent())))
                        .exists();
                String text = PLACE.matcher(read(file))
                        .replaceAll(place -> Matcher.quoteReplacement(version(place.group(1))));
                assertThat(Files.writeString(copy, text)).exists();
            }
        }
    }

    /** The version of an artifact in this build. */
    private String version(String name) {
        Pattern place = switch (name) {
            case "caracal" -> Pattern.compile("<artifactId>caracal-parent</artifactId>\\s*<version>([^<]+)<");
            case "junit" -> Pattern.compile("<junit\\.version>([^<]+)<");
            default -> Pattern.compile("<artifactId>" + name + "</artifactId>\\s*<version>([^<]+)<");
        };
        Matcher found = place.matcher(parentPom);
        assertThat(found.find()).as(name).isTrue();
        return found.group(1);
    }

    private static String read(Path file) {
        try {
            return new String(Files.readAllBytes(file), StandardCharsets.UTF_8);
        } catch (IOException e) {
            throw new IllegalStateException(e);
        }
    }
}
