package run.caracal.internal.propagation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;

class IncomingHeadersTest {
    private static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
    private static final String TRACEPARENT = "00-" + TRACE + "-00f067aa0ba902b7-01";

    private static Envelope read(Map<String, String> headers) {
        return IncomingHeaders.read(IncomingHeaders.lookup(headers));
    }

    @Test
    void aTraceIsReadWithItsState() {
        Envelope said = read(Map.of("TraceParent", TRACEPARENT, "tracestate", "a=1"));
        assertThat(said.traceId()).isEqualTo(TRACE);
        assertThat(said.traceState()).isEqualTo("a=1");
    }

    @Test
    void withoutATraceANewOneBeginsWithoutTheStateOfAnother() {
        Envelope said = read(Map.of("traceparent", "garbage", "tracestate", "a=1"));
        assertThat(said.traceId()).matches("[0-9a-f]{32}");
        assertThat(said.traceState()).isNull();
    }

    @Test
    void idsAreReadAndThoseThatAreNoneIgnored() {
        Envelope said = read(Map.of("baggage", "caracal.agent_session=session-1,caracal.delegation_edge=.."));
        assertThat(said.agentSessionId()).isEqualTo("session-1");
        assertThat(said.delegationEdgeId()).isNull();
    }

    @Test
    void theBearerIsNotRead() {
        assertThat(read(Map.of("Authorization", "Bearer secret")).bearer()).isNull();
    }

    @Test
    void linesAreThoseThatAreThereAndNotMoreThanALimitShows() {
        assertThat(IncomingHeaders.lines(name -> Arrays.asList("a", null, "b"), "baggage"))
                .containsExactly("a", "b");
        assertThat(IncomingHeaders.lines(name -> Collections.nCopies(1_000, "a"), "baggage"))
                .hasSize(65);
        assertThat(IncomingHeaders.lines(name -> List.of(), "baggage")).isEmpty();
    }

    @Test
    @SuppressWarnings("NullAway")
    void aLookupThatFindsNullFindsNothing() {
        assertThat(IncomingHeaders.lines(name -> null, "baggage")).isEmpty();
    }

    @Test
    void aLookupMatchesNamesInAnyCaseAndTextAlone() {
        Map<String, Object> map = new HashMap<>();
        map.put("X-One", "1");
        map.put("x-one", "2");
        map.put("X-ONE", 3);
        map.put("other", "4");
        assertThat(IncomingHeaders.lookup(map).apply("x-One")).containsExactlyInAnyOrder("1", "2");
    }

    @Test
    void aMapOfHeadersHasOneValueForEachAndShowsNone() {
        HeaderMap headers = new HeaderMap(new HashMap<>());
        headers.set("a", "secret");
        assertThat(headers.getAll("a")).containsExactly("secret");
        assertThat(headers.getAll("b")).isEmpty();
        assertThat(headers).hasToString("HeaderMap");
        headers.remove("a");
        assertThat(headers.getAll("a")).isEmpty();
    }
}
