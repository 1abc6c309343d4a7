package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import javax.tools.Diagnostic;
import javax.tools.DiagnosticCollector;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.ToolProvider;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestFactory;
import org.junit.jupiter.api.io.TempDir;

/** The snippets of README and guides compile with the imports they print, their links lead somewhere, their commands exist. */
class ReadmeTest {
    private static final Pattern FENCE = Pattern.compile("```(\\w+)\\n(.*?)```", Pattern.DOTALL);
    private static final Pattern IMPORT = Pattern.compile("(?m)^import .*;\\n+");
    private static final Pattern LINK = Pattern.compile("\\]\\(([^)\\s]+)\\)");
    private static final Path ROOT = Path.of("..", "..");
    private static final List<String> GUIDES = List.of(
            "README.md",
            "core/README.md",
            "netty-transport/README.md",
            "examples/README.md",
            ".github/CONTRIBUTING.md",
            ".github/CHANGELOG.md");

    /** The names that the guides explain in words: the client, clients of others, and work of the reader. */
    private static final String AT_HAND = """
            class Snippet {
                record Receipt() {}
                record Row() {}
                record Order() {}
                Order order = new Order();
                reactor.core.publisher.Mono<Receipt> charge(Order order) { return reactor.core.publisher.Mono.empty(); }
                reactor.core.publisher.Flux<Row> export() { return reactor.core.publisher.Flux.empty(); }
                run.caracal.Caracal caracal = null;
                run.caracal.Caracal peer = null;
                reactor.netty.http.client.HttpClient http = null;
                run.caracal.ServiceAgent agent = null;
                run.caracal.ServiceAgent receiver = null;
                run.caracal.verify.MandateVerifier verifier = null;
                java.util.Map<String, String> requestHeaders = java.util.Map.of();
                String targetSessionId = "";
                int port = 0;
                @interface DynamicPropertySource {} // As in Spring's tests.
                interface DynamicPropertyRegistry { void add(String name, java.util.function.Supplier<Object> value); }
                String delegationEdgeId = "";
                void snippet() throws Exception {
            """;

    private static String text(String guide) throws IOException {
        return Files.readString(ROOT.resolve(guide));
    }

    private static String readme() throws IOException {
        return text("README.md");
    }

    @TestFactory
    List<DynamicTest> everyJavaSnippetCompilesWithItsImports(@TempDir Path classes) throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        for (String guide : GUIDES) {
            String imports = "";
            List<String> snippets = matches(FENCE, text(guide), "java");
            for (String snippet : snippets) {
                String code = IMPORT.matcher(snippet).replaceAll("");
                String own = String.join("\n", matches(Pattern.compile("(?m)^(import .*;)$"), snippet));
                if (code.isBlank()) {
                    imports = own; // A guide names the imports of all its snippets once.
                } else {
                    String source = imports + "\n" + own + "\n" + AT_HAND + code + "}}";
                    tests.add(DynamicTest.dynamicTest(
                            guide + ", line " + line(text(guide), snippet), () -> compile(source, classes)));
                }
            }
        }
        assertThat(tests).hasSizeGreaterThan(40);
        return tests;
    }

    private static long line(String text, String snippet) {
        return text.substring(0, text.indexOf(snippet)).lines().count() + 1;
    }

    /** A link to a file leads to one, and one to a heading to a heading there. */
    @Test
    void everyLinkLeadsSomewhere() throws IOException {
        List<String> broken = new ArrayList<>();
        for (String guide : GUIDES) {
            for (String link : matches(LINK, text(guide))) {
                String[] target = link.split("#", 2);
                Path file = target[0].isEmpty()
                        ? ROOT.resolve(guide)
                        : ROOT.resolve(guide).resolveSibling(target[0]).normalize();
                boolean headed = target.length == 1
                        || (Files.exists(file)
                                && anchors(Files.readString(file)).contains(target[1]));
                boolean leads = link.startsWith("https://") || (headed && Files.exists(file));
                if (!leads) {
                    broken.add(guide + ": " + link);
                }
            }
        }
        assertThat(broken).isEmpty();
    }

    /** The anchors of a page's headings, as GitHub makes them. */
    private static List<String> anchors(String text) {
        return matches(Pattern.compile("(?m)^#+ (.*)$"), text).stream()
                .map(heading -> heading.toLowerCase(Locale.ROOT)
                        .replaceAll("[^\\p{L}\\p{N} _-]", "")
                        .replace(' ', '-'))
                .toList();
    }

    @Test
    void theReadmeStaysShort() throws IOException {
        assertThat(readme().lines().count()).isLessThanOrEqualTo(250);
    }

    private static void compile(String source, Path classes) {
        DiagnosticCollector<JavaFileObject> diagnostics = new DiagnosticCollector<>();
        JavaFileObject file =
                new SimpleJavaFileObject(URI.create("string:///Snippet.java"), JavaFileObject.Kind.SOURCE) {
                    @Override
                    public CharSequence getCharContent(boolean ignoreEncodingErrors) {
                        return source;
                    }
                };
        List<String> options = List.of(
                "-d",
                classes.toString(),
                "-proc:none",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
        boolean compiled = ToolProvider.getSystemJavaCompiler()
                .getTask(null, null, diagnostics, options, null, List.of(file))
                .call();
        assertThat(diagnostics.getDiagnostics())
                .filteredOn(d -> d.getKind() == Diagnostic.Kind.ERROR)
                .extracting(d -> d.getLineNumber() + ": " + d.getMessage(Locale.ROOT))
                .isEmpty();
        assertThat(compiled).isTrue();
    }

    @Test
    void theSectionsBeginWithTheirCommand() throws IOException {
        assertThat(firstBlock("README.md", "## Quick start")).isEqualTo("mvn -q process-classes -Dexample=quickstart");
        assertThat(firstBlock("README.md", "## Examples")).isEqualTo("mvn -q process-classes -Dexample=<name>");
        assertThat(firstBlock("core/README.md", "## Long-lived service agents"))
                .isEqualTo("mvn -q process-classes -Dexample=daemon");
        assertThat(firstBlock("core/README.md", "## Spawn a narrowed child"))
                .isEqualTo("mvn -q process-classes -Dexample=delegation");
        assertThat(firstBlock("core/README.md", "## Scopes and one-shot mandates"))
                .isEqualTo("mvn -q process-classes -Dexample=protected-call");
        assertThat(firstBlock("examples/README.md", "## Examples"))
                .isEqualTo("mvn -q process-classes -Dexample=<name>");
        assertThat(firstBlock("examples/README.md", "## Benchmarks"))
                .isEqualTo("mvn -q process-test-classes -Dbench=<name>");
        assertThat(Files.readString(ROOT.resolve(".ci/run")))
                .contains("\n" + firstBlock("README.md", "## Tests") + "\n");
    }

    @Test
    void everyProgramIsListedAndEveryCommandNamesOne() throws IOException {
        String examples = text("examples/README.md");
        String programs = examples.substring(
                examples.indexOf("\n## Examples\n"), examples.indexOf("\n## Testing your application\n"));
        List<String> listed = matches(Pattern.compile("(?m)^\\| `([a-z-]+)` \\|"), programs);
        assertThat(listed).containsExactlyInAnyOrderElementsOf(Examples.names());
        List<String> named = new ArrayList<>();
        for (String guide : GUIDES) {
            named.addAll(matches(Pattern.compile("-Dexample=([a-z-]+)"), text(guide)));
        }
        assertThat(named).contains("quickstart", "approval").isSubsetOf(Examples.names());
        String readme = readme();
        assertThat(readme.substring(readme.indexOf("\n## Examples\n"))).contains(Examples.names());
    }

    @Test
    void theReactorReleaseIsThatOfTheBuild() throws IOException {
        String pom = Files.readString(Path.of("..", "..", "pom.xml"));
        List<String> version = matches(Pattern.compile("<reactor-bom.version>(.*?)<"), pom);
        assertThat(matches(Pattern.compile("<artifactId>reactor-bom</artifactId>\\s*<version>(.*?)<"), readme()))
                .isEqualTo(version);
    }

    private static List<String> matches(Pattern pattern, String text) {
        return pattern.matcher(text).results().map(match -> match.group(1)).toList();
    }

    private static List<String> matches(Pattern fence, String text, String language) {
        return fence.matcher(text)
                .results()
                .filter(match -> match.group(1).equals(language))
                .map(match -> match.group(2))
                .toList();
    }

    private static String firstBlock(String guide, String heading) throws IOException {
        String text = text(guide);
        int start = text.indexOf("\n" + heading + "\n");
        assertThat(start).as(heading).isPositive();
        String section = text.substring(start + heading.length() + 2).stripLeading();
        assertThat(section).as(heading).startsWith("```sh\n");
        return section.substring("```sh\n".length(), section.indexOf("\n```"));
    }
}
