package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import tools.jackson.databind.JsonNode;
import tools.jackson.databind.json.JsonMapper;

/** The metadata for editors, which the build generates from the property classes. */
class PropertyMetadataTest {
    private static JsonNode metadata() throws Exception {
        try (InputStream in =
                CaracalProperties.class.getResourceAsStream("/META-INF/spring-configuration-metadata.json")) {
            return JsonMapper.shared().readTree(Objects.requireNonNull(in, "the annotation processor did not run"));
        }
    }

    @Test
    void everyPropertyIsExplained() throws Exception {
        List<String> names = new ArrayList<>();
        for (JsonNode property : metadata().path("properties")) {
            names.add(property.path("name").asString());
            assertThat(property.path("description").asString())
                    .as(property.path("name").asString())
                    .endsWith(".");
        }
        assertThat(names).allMatch(name -> name.startsWith("caracal."));
        assertThat(names)
                .contains("caracal.zone-id", "caracal.client-secret-file", "caracal.bindings", "caracal.ssl.bundle");
    }

    @Test
    void hintsAreForPropertiesThatExist() throws Exception {
        JsonNode metadata = metadata();
        List<String> names = new ArrayList<>();
        metadata.path("properties")
                .forEach(property -> names.add(property.path("name").asString()));
        assertThat(metadata.path("hints"))
                .isNotEmpty()
                .allSatisfy(hint -> assertThat(names).contains(hint.path("name").asString()));
    }
}
