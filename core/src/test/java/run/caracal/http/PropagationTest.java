package run.caracal.http;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class PropagationTest {
    private static final String ORIGIN = "https://api.example.com";

    @ParameterizedTest
    @CsvSource({
        "everywhere, true, true, true",
        "gateway, true, false, false",
        "resources, true, true, false",
        "named, true, true, true",
        "other, true, true, false"
    })
    void allowsByReach(String name, boolean gateway, boolean bound, boolean other) {
        Propagation propagation = switch (name) {
            case "everywhere" -> Propagation.everywhere();
            case "gateway" -> Propagation.gatewayOnly();
            case "resources" -> Propagation.resources();
            case "named" -> Propagation.origins(ORIGIN);
            default -> Propagation.origins("https://other.example.com");
        };
        assertThat(propagation.allows(true, false, ORIGIN)).isEqualTo(gateway);
        assertThat(propagation.allows(false, true, ORIGIN)).isEqualTo(bound);
        assertThat(propagation.allows(false, false, ORIGIN)).isEqualTo(other);
        assertThat(propagation.names(ORIGIN)).isEqualTo(name.equals("named"));
        assertThat(propagation.namedOrigins().contains(ORIGIN)).isEqualTo(name.equals("named"));
    }

    @ParameterizedTest
    @CsvSource({
        "HTTPS://API.Example.com:443/, https://api.example.com",
        "http://localhost:80, http://localhost",
        "http://localhost:8080, http://localhost:8080",
        "https://[::1]:8443, https://[0:0:0:0:0:0:0:1]:8443",
        "https://[FE80::1], https://[fe80:0:0:0:0:0:0:1]",
        "http://my_service:9000, http://my_service:9000"
    })
    void normalisesOrigins(String given, String normal) {
        assertThat(Propagation.origins(given).names(normal)).isTrue();
        assertThat(Propagation.origins(given))
                .isEqualTo(Propagation.origins(normal))
                .hasToString(normal);
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "api.example.com",
                "//api.example.com",
                "ftp://api.example.com",
                "https://",
                "https://:443",
                "https://user@api.example.com",
                "https://api.example.com/path",
                "https://api.example.com?x",
                "https://api.example.com#x",
                "https://*.example.com",
                "https://api.example.com:0",
                "https://api.example.com:65536",
                "https://api.example.com:x",
                "https://api.example.com\\.evil.example",
                " https://api.example.com",
                "https://api.example.com\n",
                "https://a b"
            })
    void refusesWhatIsNoOriginAtOnce(String origin) {
        assertThatThrownBy(() -> Propagation.origins(ORIGIN, origin)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void needsAnOrigin() {
        assertThatThrownBy(Propagation::origins).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void isAValue() {
        Propagation two = Propagation.origins("https://b.example.com", ORIGIN);
        assertThat(two)
                .isEqualTo(Propagation.origins(ORIGIN, "https://B.example.com:443"))
                .hasSameHashCodeAs(Propagation.origins(ORIGIN, "https://b.example.com"))
                .isNotEqualTo(Propagation.origins(ORIGIN))
                .isNotEqualTo(Propagation.resources())
                .hasToString("https://api.example.com,https://b.example.com");
        assertThat(Propagation.everywhere()).isEqualTo(Propagation.everywhere()).hasToString("everywhere");
        assertThat(Propagation.gatewayOnly())
                .isNotEqualTo(Propagation.resources())
                .hasToString("gateway");
    }
}
