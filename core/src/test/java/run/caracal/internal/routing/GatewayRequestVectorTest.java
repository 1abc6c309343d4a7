package run.caracal.internal.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.stream.Stream;
import run.caracal.GatewayRequest;
import run.caracal.error.ConfigurationException;
import run.caracal.internal.text.Chars;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorCase.VectorError;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

class GatewayRequestVectorTest {
    // The subjects of the peer's messages; ours has to name the same one.
    private static final List<String> SUBJECTS =
            List.of("gateway_url", "fragment", "relative", "dot segments", "resource");

    @VectorTests("gateway-request")
    void buildsTheAddress(VectorCase vector) {
        VectorObject input = vector.input();
        if (Stream.of("resource_id", "path").anyMatch(key -> input.has(key) && !(input.value(key) instanceof String))) {
            throw vector.leaveOut("the resource or the path is no text");
        }
        Router router = new Router(input.stringOrNull("gateway_url"), List.of());
        String resource = input.string("resource_id");
        String path = Objects.requireNonNullElse(input.stringOrNull("path"), "/");

        VectorError error = vector.error();
        if (error != null) {
            assertThatThrownBy(() -> router.gatewayUrl(resource, path))
                    .isInstanceOf(
                            error.type().equals("RuntimeError")
                                    ? ConfigurationException.class
                                    : IllegalArgumentException.class)
                    .extracting(e -> String.valueOf(e.getMessage()).toLowerCase(Locale.ROOT))
                    .satisfies(message -> SUBJECTS.stream()
                            .filter(error.message()::contains)
                            .forEach(subject -> assertThat(message).contains(subject)));
            return;
        }
        if (!Chars.isVisibleAscii(resource) || Chars.hasBlankOrControl(path)) {
            // The peer keeps them; a header would lose the blanks and make one of all beyond ASCII, a request line
            // break.
            assertThatThrownBy(() -> router.gatewayUrl(resource, path))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("control characters");
            return;
        }
        String pathOnly = path.split("\\?", 2)[0];
        if (pathOnly.contains("//")
                || GatewayRouteVectorTest.DOTS_BEFORE_SEMICOLON
                        .matcher("/" + pathOnly)
                        .find()) {
            // The Gateway redirects an empty segment, and receivers read dots before a semicolon in different ways.
            assertThatThrownBy(() -> router.gatewayUrl(resource, path)).isInstanceOf(IllegalArgumentException.class);
            return;
        }
        GatewayRequest request = new GatewayRequest(resource, router.gatewayUrl(resource, path));
        assertThat(request.url()).isEqualTo(vector.expected().string("url"));
        assertThat(request.headers())
                .isEqualTo(vector.expected().object("headers").map());
    }
}
