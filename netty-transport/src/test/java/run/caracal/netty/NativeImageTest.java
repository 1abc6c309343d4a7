package run.caracal.netty;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.URISyntaxException;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.NavigableMap;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import run.caracal.Caracal;

/**
 * The analysis of a native image does not find code that is only looked up by name. The library looks up next to nothing by
 * name; this test reads its lookups from its class files, and compares them with its metadata.
 */
class NativeImageTest {
    private static final String METADATA = "META-INF/native-image/run.caracal/caracal-netty-transport/";
    private static final String SERVICES = "META-INF/services/";
    private static final Pattern NAME = Pattern.compile("\"name\"\\s*:\\s*\"([^\"]+)\"");

    /** Where the JDK looks something up by name, as {@code owner.method}. */
    private static final Pattern LOOKUP =
            Pattern.compile("java/lang/Class\\.(forName|get(Declared)?(Method|Field|Constructor"
                    + "|RecordComponent|Classes).*|newInstance|getResource.*|getEnumConstants)"
                    + "|java/lang/ClassLoader\\.(loadClass|getResource.*|getSystemResource.*|findClass)"
                    + "|java/lang/Module\\.getResource.*"
                    + "|java/lang/reflect/.*"
                    + "|java/lang/invoke/MethodHandles\\$Lookup\\.(find|unreflect|define).*"
                    + "|java/util/(ServiceLoader|ResourceBundle)\\..*"
                    + "|java/util/concurrent/atomic/Atomic(Integer|Long|Reference)FieldUpdater\\.newUpdater"
                    + "|java/io/Object(Input|Output)Stream\\..*"
                    + "|java/beans/.*"
                    + "|java/lang/(System|Runtime)\\.load(Library)?");

    /** All that the library looks up by name. Add to it only together with metadata. */
    private static final Set<String> KNOWN = Set.of(
            "run/caracal/internal/client/ClientParts: java/util/ServiceLoader.load",
            "run/caracal/internal/client/ClientParts: java/util/ServiceLoader.findFirst",
            "run/caracal/netty/internal/OutboundExchange: "
                    + "java/util/concurrent/atomic/AtomicIntegerFieldUpdater.newUpdater");

    @Test
    void nothingIsLookedUpByNameButWhatIsKnown() throws Exception {
        Set<String> found = new TreeSet<>();
        NavigableMap<String, byte[]> classes = files(Caracal.class, ".class");
        classes.putAll(files(CaracalHttp.class, ".class"));
        assertThat(classes).hasSizeGreaterThan(150);
        for (byte[] classFile : classes.values()) {
            found.addAll(lookups(classFile));
        }

        assertThat(found).containsExactlyInAnyOrderElementsOf(KNOWN);
    }

    @Test
    void whatIsKnownStandsInTheMetadata() throws Exception {
        NavigableMap<String, byte[]> resources = files(CaracalHttp.class, "");
        resources.putAll(files(Caracal.class, ""));
        Set<String> providers = new TreeSet<>();
        Set<String> services = new TreeSet<>();
        resources.forEach((name, content) -> {
            if (name.startsWith(SERVICES)) {
                services.add("\\\\Q" + name + "\\\\E");
                text(content).lines().filter(line -> !line.isBlank()).forEach(providers::add);
            }
        });
        Set<String> expected = new TreeSet<>(providers);
        expected.add("<init>");
        expected.add("run.caracal.netty.internal.OutboundExchange");
        expected.add("claimed");

        assertThat(providers).isNotEmpty();
        assertThat(all(NAME, text(resources.get(METADATA + "reflect-config.json"))))
                .containsExactlyInAnyOrderElementsOf(expected);
        assertThat(services)
                .allSatisfy(service -> assertThat(text(resources.get(METADATA + "resource-config.json")))
                        .contains(service));
        // A class that was renamed is missing in an image just as one that was forgotten.
        for (String provider : providers) {
            assertThat(Class.forName(provider).getConstructor()).isNotNull();
        }
        assertThat(Class.forName("run.caracal.netty.internal.OutboundExchange").getDeclaredField("claimed"))
                .isNotNull();
    }

    @Test
    void aLookupIsFoundInAClassFile() throws Exception {
        NavigableMap<String, byte[]> own = files(NativeImageTest.class, "netty/NativeImageTest.class");

        assertThat(lookups(own.firstEntry().getValue()))
                .contains("run/caracal/netty/NativeImageTest: java/lang/Class.forName");
    }

    private static String text(byte @Nullable [] content) {
        return content == null ? "" : new String(content, java.nio.charset.StandardCharsets.UTF_8);
    }

    private static List<String> all(Pattern pattern, String text) {
        List<String> found = new ArrayList<>();
        Matcher matcher = pattern.matcher(text);
        while (matcher.find()) {
            found.add(matcher.group(1));
        }
        return found;
    }

    /** The files of an artifact, a folder in a build and a jar elsewhere, by their names. */
    private static NavigableMap<String, byte[]> files(Class<?> of, String ending)
            throws IOException, URISyntaxException {
        Path location =
                Path.of(of.getProtectionDomain().getCodeSource().getLocation().toURI());
        if (Files.isDirectory(location)) {
            return files(location, ending);
        }
        try (FileSystem jar = FileSystems.newFileSystem(location)) {
            return files(jar.getPath("/"), ending);
        }
    }

    private static NavigableMap<String, byte[]> files(Path root, String ending) throws IOException {
        NavigableMap<String, byte[]> found = new TreeMap<>();
        try (Stream<Path> walk = Files.walk(root)) {
            for (Path file : walk.filter(Files::isRegularFile).toList()) {
                String name = root.relativize(file).toString().replace('\\', '/');
                if (name.endsWith(ending)) {
                    found.put(name, Files.readAllBytes(file));
                }
            }
        }
        return found;
    }

    /** The methods that a class file names and that look something up by name. */
    private static Set<String> lookups(byte[] classFile) throws IOException {
        try (DataInputStream in = new DataInputStream(new ByteArrayInputStream(classFile))) {
            in.skipNBytes(8);
            int count = in.readUnsignedShort();
            String[] texts = new String[count];
            int[][] entries = new int[count][];
            for (int i = 1; i < count; i++) {
                int tag = in.readUnsignedByte();
                switch (tag) {
                    case 1 -> texts[i] = in.readUTF();
                    case 7, 8, 16, 19, 20 -> entries[i] = new int[] {tag, in.readUnsignedShort()};
                    case 9, 10, 11, 12, 17, 18 ->
                        entries[i] = new int[] {tag, in.readUnsignedShort(), in.readUnsignedShort()};
                    case 3, 4 -> in.skipNBytes(4);
                    case 15 -> in.skipNBytes(3);
                    case 5, 6 -> {
                        in.skipNBytes(8);
                        i++; // takes two places
                    }
                    default -> throw new IOException("an unknown kind of constant: " + tag);
                }
            }
            in.skipNBytes(2);
            String self = texts[entries[in.readUnsignedShort()][1]];
            Set<String> found = new TreeSet<>();
            for (int[] entry : entries) {
                if (entry != null && (entry[0] == 10 || entry[0] == 11)) {
                    String method = texts[entries[entry[1]][1]] + "." + texts[entries[entry[2]][1]];
                    if (LOOKUP.matcher(method).matches()) {
                        found.add(self + ": " + method);
                    }
                }
            }
            return found;
        }
    }
}
