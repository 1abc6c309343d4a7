package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.JsonObject;
import run.caracal.internal.propagation.Envelope;

/** Documents that the platform publishes for its implementations. The one of claims is read by the mandate verifier's tests. */
class InteroperabilityTest {

    private static byte[] file(String name) throws IOException {
        String path = "/interoperability/" + name;
        try (InputStream file = Objects.requireNonNull(InteroperabilityTest.class.getResourceAsStream(path), path)) {
            return file.readAllBytes();
        }
    }

    @Test
    void aTokenResponseIsRead() throws IOException {
        HttpRequest request = new HttpRequest(
                "POST",
                URI.create("https://sts.example.com/oauth/2/token"),
                Map.of(),
                new byte[0],
                Duration.ofSeconds(1),
                65536);
        TokenResponse token =
                TokenResponse.parse(request, new HttpResponse(200, Map.of(), file("token-response.valid.json")));
        assertThat(token.accessToken()).startsWith("eyJ");
        assertThat(token.targetResources()).containsExactly("resource://pipernet");
    }

    @Test
    void theHeadersOfATraceAreRead() throws Exception {
        JsonObject headers = JsonObject.parse(file("trace-context.headers.valid.json"));
        JsonObject baggage = JsonObject.parse(file("w3c-baggage.valid.json"));
        Envelope envelope = Envelope.decode(name -> headers.has(name) ? List.of(headers.string(name)) : List.of());
        assertThat(envelope.traceId()).isEqualTo("4bf92f3577b34da6a3ce929d0e0e4736");
        assertThat(envelope.traceState()).isEqualTo("vendor=value");
        Map<String, String> read = new TreeMap<>(envelope.extraBaggage());
        read.put("caracal.agent_session", String.valueOf(envelope.agentSessionId()));
        read.put("caracal.delegation_edge", String.valueOf(envelope.delegationEdgeId()));
        read.put("caracal.parent_edge", String.valueOf(envelope.parentEdgeId()));
        read.put("caracal.session", String.valueOf(envelope.authorityRecordId()));
        read.put("caracal.hop", String.valueOf(envelope.hop()));
        assertThat(read)
                .hasSize(6)
                .allSatisfy(
                        (key, value) -> assertThat(baggage.string(key)).as(key).isEqualTo(value));
    }
}
