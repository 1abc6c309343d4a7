package run.caracal.vectors;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.ArgumentsProvider;
import org.junit.jupiter.params.support.AnnotationConsumer;
import org.junit.jupiter.params.support.ParameterDeclarations;

/**
 * Loads the cases of a topic: from the directory that the system property {@code caracal.vectors} names, when it is set,
 * else from the copies among the test resources. A topic that the directory does not hold has no cases.
 */
public final class Vectors implements ArgumentsProvider, AnnotationConsumer<VectorTests> {
    private static final String DIRECTORY = "caracal.vectors";

    private String topic = "";

    @Override
    public void accept(VectorTests annotation) {
        topic = annotation.value();
    }

    @Override
    public Stream<? extends Arguments> provideArguments(ParameterDeclarations parameters, ExtensionContext context) {
        return load(topic).stream().map(Arguments::of);
    }

    /** The cases of a topic, in the order of the file. */
    public static List<VectorCase> load(String topic) {
        byte[] json = read(topic);
        if (json == null) {
            System.out.println("no cases for " + topic + " in " + System.getProperty(DIRECTORY));
            return List.of();
        }
        return VectorJson.parseObject(json).objects("cases").stream()
                .map(fields -> new VectorCase(
                        topic,
                        fields.string("name"),
                        fields.object("input"),
                        fields.object("expected"),
                        fields.stringOrNull("caveat")))
                .toList();
    }

    private static byte @Nullable [] read(String topic) {
        String file = topic + ".json";
        String directory = System.getProperty(DIRECTORY);
        try {
            if (directory != null && !directory.isEmpty()) {
                Path path = Path.of(directory, file);
                return Files.exists(path) ? Files.readAllBytes(path) : null;
            }
            try (InputStream in = Vectors.class.getResourceAsStream("/vectors/" + file)) {
                return Objects.requireNonNull(in, "no such topic: " + topic).readAllBytes();
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
