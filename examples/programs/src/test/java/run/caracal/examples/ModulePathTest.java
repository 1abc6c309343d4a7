package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.jar.Attributes;
import java.util.jar.JarEntry;
import java.util.jar.JarOutputStream;
import java.util.jar.Manifest;
import java.util.regex.Pattern;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import run.caracal.Caracal;
import run.caracal.netty.CaracalHttp;

/** A modular application compiles against the jars, and its client finds the transport. */
class ModulePathTest {
    private static final Pattern DEPENDENCY = Pattern.compile(
            "(reactor-core|reactor-netty|reactive-streams|netty-|jspecify|slf4j-|tomlj|antlr4-runtime|jackson-core).*\\.jar");

    private static final String MODULE = """
            module app {
                requires reactor.core;
                requires run.caracal;
                requires run.caracal.netty;
            }
            """;

    /** Nothing listens at the address, which only a transport can report. */
    private static final String MAIN = """
            package app;

            import reactor.core.publisher.Mono;
            import run.caracal.Caracal;
            import run.caracal.config.CaracalConfig;
            import run.caracal.netty.NettyHttpTransport;

            final class Main {
                public static void main(String[] args) {
                    CaracalConfig config = CaracalConfig.builder()
                            .zoneId("zone-1")
                            .applicationId("app-1")
                            .subjectToken("a-token")
                            .coordinatorUrl("http://127.0.0.1:1")
                            .build();
                    Caracal caracal = Caracal.create(config);
                    System.out.println(Caracal.class.getModule().getName());
                    System.out.println(NettyHttpTransport.class.getModule().getName());
                    System.out.println(caracal.check()
                            .thenReturn("reached")
                            .onErrorResume(error -> Mono.just(error.getClass().getName()))
                            .flatMap(result -> caracal.disposeLater().thenReturn(result))
                            .block());
                }
            }
            """;

    /** The packaged jar of a whole build, else a jar of the classes. */
    private static Path jar(Class<?> type, String module, Path directory) throws IOException, URISyntaxException {
        Path home =
                Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI());
        if (!Files.isDirectory(home)) {
            return home;
        }
        Manifest manifest = new Manifest();
        manifest.getMainAttributes().put(Attributes.Name.MANIFEST_VERSION, "1.0");
        manifest.getMainAttributes().putValue("Automatic-Module-Name", module);
        Path jar = directory.resolve(module + ".jar");
        try (OutputStream file = Files.newOutputStream(jar);
                JarOutputStream out = new JarOutputStream(file, manifest);
                Stream<Path> classes = Files.walk(home)) {
            for (Path entry : classes.filter(Files::isRegularFile).toList()) {
                out.putNextEntry(new JarEntry(home.relativize(entry).toString().replace(File.separatorChar, '/')));
                Files.copy(entry, out);
                out.closeEntry();
            }
        }
        return jar;
    }

    private static String modulePath(Path directory) throws IOException, URISyntaxException {
        List<String> path = new ArrayList<>();
        path.add(jar(Caracal.class, "run.caracal", directory).toString());
        path.add(jar(CaracalHttp.class, "run.caracal.netty", directory).toString());
        Pattern.compile(File.pathSeparator, Pattern.LITERAL)
                .splitAsStream(System.getProperty("java.class.path"))
                .filter(entry -> DEPENDENCY.matcher(new File(entry).getName()).matches())
                .distinct()
                .forEach(path::add);
        return String.join(File.pathSeparator, path);
    }

    @Test
    void anApplicationOnTheModulePathRuns(@TempDir Path directory) throws Exception {
        String modulePath = modulePath(directory);
        Path sources = Files.createDirectories(directory.resolve("src/app"));
        Path module = Files.writeString(sources.resolveSibling("module-info.java"), MODULE);
        Path main = Files.writeString(sources.resolve("Main.java"), MAIN);
        Path classes = directory.resolve("classes");
        int compiled = ToolProvider.findFirst("javac")
                .orElseThrow()
                .run(
                        System.out,
                        System.err,
                        "--module-path",
                        modulePath,
                        "-d",
                        classes.toString(),
                        module.toString(),
                        main.toString());
        assertThat(compiled).as("javac").isZero();
        Path output = directory.resolve("output");
        Process app = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--module-path",
                        modulePath + File.pathSeparator + classes,
                        // No module requires the dependencies that are explicit modules.
                        "--add-modules",
                        "ALL-MODULE-PATH",
                        "--module",
                        "app/app.Main")
                .redirectError(directory.resolve("errors").toFile())
                .redirectOutput(output.toFile())
                .start();
        try {
            assertThat(app.waitFor(1, TimeUnit.MINUTES)).as("ended by itself").isTrue();
        } finally {
            app.destroyForcibly();
        }
        assertThat(Files.readAllLines(output))
                .as(Files.readString(directory.resolve("errors")))
                .containsExactly("run.caracal", "run.caracal.netty", "run.caracal.error.TransportException");
    }
}
