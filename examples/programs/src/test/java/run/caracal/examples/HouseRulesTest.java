package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.module.ModuleFinder;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import run.caracal.Caracal;
import run.caracal.netty.CaracalHttp;

/** What no compiler checks: operators that have no place in the library, and what the jars promise. */
class HouseRulesTest {
    /** What must not stand in the library's code, and why. */
    private static final List<String> BANNED = List.of(
            // Cleanup that a cancellation skips.
            "doOnTerminate",
            // Reaches into the operators of others.
            "onErrorContinue\\(",
            // Global switches belong to the application.
            "\\bHooks\\.",
            "\\.block(First|Last|Optional)?\\(",
            "Thread\\.sleep",
            "new ThreadLocal|ThreadLocal\\.with",
            "System\\.(out|err)",
            "Schedulers\\.(newElastic|newParallel)");

    @Test
    void theLibraryUsesNoBannedOperator() throws IOException {
        List<String> found = new ArrayList<>();
        for (Path module : List.of(Path.of("..", "..", "core"), Path.of("..", "..", "netty-transport"))) {
            try (Stream<Path> sources = Files.walk(module.resolve("src/main/java"))) {
                for (Path source :
                        sources.filter(p -> p.toString().endsWith(".java")).toList()) {
                    String code = Files.readString(source)
                            .replaceAll("(?s)/\\*.*?\\*/", "")
                            .replaceAll("//[^\\n]*", "");
                    for (String banned : BANNED) {
                        Matcher matcher = Pattern.compile(banned).matcher(code);
                        if (matcher.find() && !isTheOneThreadLocal(source, matcher.group())) {
                            found.add(source.getFileName() + ": " + matcher.group());
                        }
                    }
                }
            }
        }
        assertThat(found).isEmpty();
    }

    /** What shows the context to code that knows nothing but its thread has to keep it there. */
    private static boolean isTheOneThreadLocal(Path source, String found) {
        return source.endsWith(Path.of("run", "caracal", "micrometer", "CaracalContextAccessor.java"))
                && found.equals("new ThreadLocal");
    }

    private static Path home(Class<?> type) {
        try {
            return Path.of(
                    type.getProtectionDomain().getCodeSource().getLocation().toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    /** No package is shared between the jars. */
    @Test
    void noPackageIsSplit() throws IOException {
        Set<String> core = packages(home(Caracal.class));
        Set<String> transport = packages(home(CaracalHttp.class));
        assertThat(core).contains("run/caracal").doesNotContainAnyElementsOf(transport);
    }

    private static Set<String> packages(Path home) throws IOException {
        if (Files.isDirectory(home)) {
            return packagesBelow(home);
        }
        try (FileSystem jar = FileSystems.newFileSystem(home)) {
            return packagesBelow(jar.getPath("/"));
        }
    }

    private static Set<String> packagesBelow(Path root) throws IOException {
        try (Stream<Path> files = Files.walk(root)) {
            return files.filter(f -> f.toString().endsWith(".class"))
                    .map(f -> root.relativize(f.getParent()).toString())
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }

    /** The jars have the module names that the README states; before they are packaged, the poms name them. */
    @Test
    void theModuleNamesAreStable() {
        assertThat(moduleName(Caracal.class, "core")).isEqualTo("run.caracal");
        assertThat(moduleName(CaracalHttp.class, "netty-transport")).isEqualTo("run.caracal.netty");
    }

    private static String moduleName(Class<?> type, String module) {
        Path home = home(type);
        if (!Files.isDirectory(home)) {
            return ModuleFinder.of(home)
                    .findAll()
                    .iterator()
                    .next()
                    .descriptor()
                    .name();
        }
        try {
            Matcher name = Pattern.compile("<module.name>(.*?)</module.name>")
                    .matcher(Files.readString(Path.of("..", "..", module, "pom.xml")));
            return name.find() ? name.group(1) : "";
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** The library itself brings the streaming parser of Jackson 3 alone; every test here runs without more. */
    @Test
    void noDatabindIsNeeded() {
        for (String type : List.of(
                "com.fasterxml.jackson.core.JsonFactory",
                "com.fasterxml.jackson.databind.ObjectMapper",
                "tools.jackson.databind.ObjectMapper")) {
            assertThat(isPresent(type)).as(type).isFalse();
        }
        assertThat(isPresent("tools.jackson.core.json.JsonFactory")).isTrue();
    }

    private static boolean isPresent(String type) {
        try {
            return Class.forName(type, false, HouseRulesTest.class.getClassLoader()) != null;
        } catch (ClassNotFoundException e) {
            return false;
        }
    }
}
