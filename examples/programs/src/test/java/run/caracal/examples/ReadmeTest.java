package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URI;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
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

/** What the README prints compiles, and its sections begin with the commands they promise. */
class ReadmeTest {
    private static final Pattern FENCE = Pattern.compile("```(\\w+)\\n(.*?)```", Pattern.DOTALL);

    /** What a reader of a snippet has at hand. */
    private static final String BEFORE = """
            import io.lettuce.core.RedisClient;
            import io.lettuce.core.api.StatefulRedisConnection;
            import io.micrometer.context.ContextRegistry;
            import io.micrometer.core.instrument.simple.SimpleMeterRegistry;
            import io.micrometer.observation.ObservationRegistry;
            import java.nio.charset.StandardCharsets;
            import java.nio.file.Path;
            import java.time.Duration;
            import java.util.*;
            import java.util.function.Supplier;
            import org.junit.jupiter.api.Assertions;
            import org.junit.jupiter.api.Test;
            import org.junit.jupiter.api.extension.RegisterExtension;
            import org.springframework.http.client.reactive.ReactorClientHttpConnector;
            import org.springframework.web.reactive.function.client.WebClient;
            import org.springframework.web.server.WebFilter;
            import reactor.core.publisher.*;
            import reactor.netty.ByteBufFlux;
            import reactor.netty.http.client.HttpClient;
            import reactor.netty.http.server.HttpServer;
            import reactor.util.retry.Retry;
            import run.caracal.*;
            import run.caracal.config.*;
            import run.caracal.micrometer.*;
            import run.caracal.error.*;
            import run.caracal.http.*;
            import run.caracal.micrometer.*;
            import run.caracal.netty.*;
            import run.caracal.platform.*;
            import run.caracal.platform.junit.*;
            import run.caracal.redis.*;
            import run.caracal.verify.*;
            import run.caracal.webflux.*;

            class Snippet {
                record Receipt() {}
                record Row() {}
                record Order() {}
                Order order = new Order();
                Mono<Receipt> charge(Order order) { return Mono.empty(); }
                Flux<Row> export() { return Flux.empty(); }
                Caracal caracal = null;
                Caracal peer = null;
                HttpClient http = null;
                ServiceAgent agent = null;
                ServiceAgent receiver = null;
                MandateVerifier verifier = null;
                Map<String, String> requestHeaders = Map.of();
                String targetSessionId = "";
                int port = 0;
                @interface DynamicPropertySource {} // As in Spring's tests.
                interface DynamicPropertyRegistry { void add(String name, Supplier<Object> value); }
                String delegationEdgeId = "";
                void snippet() throws Exception {
            """;

    private static String readme() throws IOException {
        return Files.readString(Path.of("..", "..", "README.md"));
    }

    @TestFactory
    List<DynamicTest> everyJavaSnippetCompiles(@TempDir Path classes) throws IOException {
        List<DynamicTest> tests = new ArrayList<>();
        Matcher fence = FENCE.matcher(readme());
        while (fence.find()) {
            if (fence.group(1).equals("java")) {
                String snippet = fence.group(2);
                tests.add(DynamicTest.dynamicTest(
                        "snippet " + (tests.size() + 1), () -> compile(BEFORE + snippet + "}}", classes)));
            }
        }
        assertThat(tests).hasSizeGreaterThan(8);
        return tests;
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
        assertThat(firstBlock("## Quick start")).isEqualTo("mvn -q process-classes -Dexample=quickstart");
        assertThat(firstBlock("## Long-lived service agents")).isEqualTo("mvn -q process-classes -Dexample=daemon");
        assertThat(firstBlock("## Spawn a narrowed child")).isEqualTo("mvn -q process-classes -Dexample=delegation");
        assertThat(firstBlock("## Scopes and one-shot mandates"))
                .isEqualTo("mvn -q process-classes -Dexample=protected-call");
        assertThat(firstBlock("## Benchmarks")).isEqualTo("mvn -q process-test-classes -Dbench=<name>");
        assertThat(firstBlock("## Examples")).isEqualTo("mvn -q process-classes -Dexample=<name>");
        assertThat(Files.readString(Path.of("..", "..", ".ci", "run"))).contains("\n" + firstBlock("## Tests") + "\n");
    }

    @Test
    void everyProgramIsListedAndEveryCommandNamesOne() throws IOException {
        String readme = readme();
        String programs = readme.substring(readme.indexOf("\n## Examples\n"), readme.indexOf("\n## Tests\n"));
        List<String> listed = matches(Pattern.compile("(?m)^\\| `([a-z-]+)` \\|"), programs);
        assertThat(listed).containsExactlyInAnyOrderElementsOf(Examples.names());
        assertThat(matches(Pattern.compile("-Dexample=([a-z-]+)"), readme))
                .contains("quickstart", "approval")
                .isSubsetOf(Examples.names());
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

    private static String firstBlock(String heading) throws IOException {
        String readme = readme();
        int start = readme.indexOf("\n" + heading + "\n");
        assertThat(start).as(heading).isPositive();
        String section = readme.substring(start + heading.length() + 2).stripLeading();
        assertThat(section).as(heading).startsWith("```sh\n");
        return section.substring("```sh\n".length(), section.indexOf("\n```"));
    }
}
