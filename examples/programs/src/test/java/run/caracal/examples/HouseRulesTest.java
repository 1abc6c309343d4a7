package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.module.ModuleFinder;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import run.caracal.Caracal;
import run.caracal.netty.CaracalHttp;

/** Rules that no compiler checks: the texts cite only what is here, and the jars keep their names. */
class HouseRulesTest {
    /** The documents by name and place, their codes in parentheses, and tests that begin with one. */
    private static final Pattern CITATION =
            Pattern.compile("\\b(DES" + "IGN|PIT" + "FALLS|PROTO" + "COL|FEASI" + "BILITY|ANCH" + "ORS|FAU" + "LTS)\\b"
                    + "|\\([A-Z][0-9]{1,2}[a-z]?(, ?[A-Z][0-9]{1,2}[a-z]?)*\\)|\\bvoid [A-Za-z][0-9]{1,2}[a-z]?_");

    private static Path home(Class<?> type) {
        try {
            return Path.of(
                    type.getProtectionDomain().getCodeSource().getLocation().toURI());
        } catch (URISyntaxException e) {
            throw new AssertionError(e);
        }
    }

    /** Readers have only this repository, so no comment, name or page cites a document outside it. */
    @Test
    void nothingCitesADocumentThatIsNotHere() throws IOException {
        Path root = Path.of("..", "..").toAbsolutePath().normalize();
        List<Path> texts;
        try (Stream<Path> files = Files.walk(root)) {
            texts = files.filter(
                            f -> f.toString().matches(".*\\.(java|md|xml|ya?ml|json|py|html|properties)|.*/\\.ci/.*"))
                    .filter(f -> !root.relativize(f).toString().matches("(.*/)?(target|\\.(?!github|ci)[^/]+)/.*"))
                    .toList();
        }
        assertThat(texts).contains(root.resolve("README.md"), root.resolve("core/pom.xml"), root.resolve(".ci/run"));
        List<String> found = new ArrayList<>();
        for (Path text : texts) {
            CITATION.matcher(Files.readString(text))
                    .results()
                    .forEach(match -> found.add(root.relativize(text) + ": " + match.group()));
        }
        assertThat(found).isEmpty();
    }

    @Test
    void aCitationIsFound() {
        String code = "S" + 4;
        assertThat(List.of(
                        "DES" + "IGN 8",
                        "PIT" + "FALLS.md 3",
                        "see PROTO" + "COL, section 8.2",
                        "as the DES" + "IGN says",
                        "ANCH" + "ORS " + code,
                        "opens (" + code + ")",
                        "once (" + code + ", " + code + "b)",
                        "void " + code + "_cancels()"))
                .allSatisfy(text -> assertThat(text).containsPattern(CITATION));
        assertThat("HTTP (h2), an IPv4 (127.0.0.1), PROTO" + "COL_ERROR 1").doesNotContainPattern(CITATION);
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
}
