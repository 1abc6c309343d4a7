package run.caracal.internal.propagation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

class EnvelopeTest {
    private static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
    private static final String OWN = "caracal.agent_session=as-1,caracal.delegation_edge=de-1,caracal.hop=3,"
            + "caracal.parent_edge=pe-1,caracal.session=ar-1";

    private static Envelope.Builder full() {
        return Envelope.builder()
                .bearer("secret-token")
                .agentSessionId("as-1")
                .delegationEdgeId("de-1")
                .parentEdgeId("pe-1")
                .authorityRecordId("ar-1")
                .traceId(TRACE)
                .traceFlags("00")
                .traceState("vendor=abc")
                .hop(3);
    }

    @Test
    void showsNoTokenAndNoBaggageValue() {
        Envelope envelope =
                full().extraBaggage(Map.of("tenant", "secret-tenant")).build();

        assertThat(envelope.toString()).contains("as-1", "tenant", "bearer=***").doesNotContain("secret");
        assertThat(Envelope.EMPTY.toString()).contains("bearer=none");
    }

    @Test
    void refusesATokenWithABlankOrControlCharacterInside() {
        assertThat(bearer("Bearer a b")).isNull();
        assertThat(bearer("Bearer a\nb")).isNull();
        assertThat(bearer("Bearer a\u00a0b")).isNull();
        assertThat(bearer("Bearer  ab ")).isEqualTo("ab");
        assertThat(bearer("Bearer ")).isNull();
        assertThat(bearer("Bearer " + "a".repeat(65536 - 7))).hasSize(65536 - 7);
        assertThat(bearer("Bearer " + "a".repeat(65536 - 6))).isNull();
        assertThat(bearer("Bearer " + "a".repeat(10_000_000))).isNull();
    }

    private static @Nullable String bearer(String header) {
        return Envelope.decode(name -> name.equals("authorization") ? List.of(header) : List.of())
                .bearer();
    }

    @Test
    void readsBackWhatItWrote() {
        Envelope envelope = full().extraBaggage(Map.of("tenant", "\u00e9 ,;")).build();
        MapHeaders headers = new MapHeaders();
        envelope.encode(headers);

        Envelope decoded = Envelope.decode(headers::getAll);

        assertThat(decoded)
                .usingRecursiveComparison()
                .ignoringFields("bearer", "encodedBaggage")
                .isEqualTo(envelope);
        assertThat(decoded.bearer()).isNull();
        assertThat(envelope.toBuilder().build())
                .usingRecursiveComparison()
                .ignoringFields("encodedBaggage")
                .isEqualTo(envelope);
    }

    @Test
    void anOversizedHeaderIsNoBaggageAndNoFailure() {
        Envelope envelope = Envelope.decode(name ->
                name.equals("baggage") ? List.of("caracal.agent_session=as-1", "k=v,".repeat(2_500_000)) : List.of());

        assertThat(envelope.agentSessionId()).isNull();
        assertThat(envelope.extraBaggage()).isEmpty();
    }

    @Test
    void aTraceStateThatCannotBeSentOnIsNone() {
        assertThat(traceState("a=1\r\nX-Injected: 1")).isNull();
        assertThat(traceState("a=" + "1".repeat(10_000_000))).isNull();
        assertThat(traceState("a=1", " ", "b=2")).isEqualTo("a=1,b=2");
    }

    @Test
    void aTraceStateHasItsLimits() {
        String longest = "a=" + "1".repeat(8190);

        assertThat(traceState(longest)).isEqualTo(longest);
        assertThat(traceState(longest + "1")).isNull();
        assertThat(traceState(longest.substring(4), "b=2")).hasSize(8192);
        assertThat(traceState(longest.substring(3), "b=2")).isNull();
        assertThat(traceState(Collections.nCopies(64, "").toArray(String[]::new)))
                .isNull();
        assertThat(traceState(Stream.concat(Stream.of("a=1"), Collections.nCopies(63, "").stream())
                        .toArray(String[]::new)))
                .isEqualTo("a=1");
        assertThat(traceState(Stream.concat(Stream.of("a=1"), Collections.nCopies(64, "").stream())
                        .toArray(String[]::new)))
                .isNull();
    }

    private static @Nullable String traceState(String... lines) {
        return Envelope.decode(name -> name.equals("tracestate") ? List.of(lines) : List.of())
                .traceState();
    }

    @Test
    void takesTheTraceOfAnotherAndLeavesItsIds() {
        Envelope other = full().extraBaggage(Map.of("tenant", "acme")).build();
        Envelope own = Envelope.builder()
                .bearer("own")
                .agentSessionId("as-2")
                .traceId("1".repeat(32))
                .traceState("mine=1")
                .extraBaggage(Map.of("region", "eu"))
                .hop(1)
                .build();

        assertThat(own.inTraceOf(other))
                .usingRecursiveComparison()
                .ignoringFields("encodedBaggage")
                .isEqualTo(Envelope.builder()
                        .bearer("own")
                        .agentSessionId("as-2")
                        .hop(1)
                        .traceId(TRACE)
                        .traceFlags("00")
                        .traceState("vendor=abc")
                        .extraBaggage(Map.of("tenant", "acme"))
                        .build());
        assertThat(other.traceOnly())
                .usingRecursiveComparison()
                .ignoringFields("encodedBaggage")
                .isEqualTo(Envelope.builder()
                        .traceId(TRACE)
                        .traceFlags("00")
                        .traceState("vendor=abc")
                        .extraBaggage(Map.of("tenant", "acme"))
                        .build());
    }

    @Test
    void clampsTheHop() {
        assertThat(full().hop(11).build().hop()).isEqualTo(10);
        assertThat(full().hop(-1).build().hop()).isZero();
    }

    @Test
    void applyingItTwiceChangesNothing() {
        Envelope envelope = full().extraBaggage(Map.of("tenant", "acme")).build();
        MapHeaders headers = new MapHeaders().with("baggage", "region=eu");
        envelope.encode(headers);
        List<String> traceparent = headers.getAll("traceparent");
        List<String> baggage = headers.getAll("baggage");

        envelope.encode(headers);
        envelope.encode(headers);

        assertThat(headers.getAll("traceparent")).isEqualTo(traceparent).hasSize(1);
        assertThat(headers.getAll("baggage")).isEqualTo(baggage).containsExactly(OWN + ",region=eu,tenant=acme");
        assertThat(headers.getAll("tracestate")).containsExactly("vendor=abc");
    }

    @Test
    void leavesOneOfTwoTraceparents() {
        String first = "00-0af7651916cd43dd8448eb211c80319c-00f067aa0ba902b7-00";
        MapHeaders headers = new MapHeaders().with("traceparent", first, TraceParent.write(TRACE, "01"));

        full().build().encode(headers);

        assertThat(headers.getAll("traceparent")).containsExactly(first);
    }

    @Test
    void joinsRepeatedBaggageHeadersIntoOne() {
        MapHeaders headers = new MapHeaders().with("baggage", "a=1", "b=2,caracal.session=spoof");

        full().build().encode(headers);

        assertThat(headers.getAll("baggage")).containsExactly("a=1,b=2," + OWN);
    }

    @Test
    void removesOwnMembersThatTheCallerMadeUp() {
        MapHeaders headers = new MapHeaders().with("baggage", "caracal.session=spoof");
        Envelope.EMPTY.encode(headers);
        assertThat(headers.getAll("baggage")).isEmpty();

        headers = new MapHeaders().with("baggage", "caracal.custom=1;caracal.session=spoof");
        Envelope.EMPTY.encode(headers);
        assertThat(headers.getAll("baggage")).containsExactly("caracal.custom=1");
    }

    @Test
    void removesAnOversizedHeaderThatMayHideOwnMembers() {
        MapHeaders headers = new MapHeaders().with("baggage", "k=" + "v".repeat(9000) + ",caracal.session=spoof");

        Envelope.EMPTY.encode(headers);

        assertThat(headers.getAll("baggage")).isEmpty();
    }

    @Test
    void ignoresOwnKeysAmongTheBaggageOfOthers() {
        Envelope envelope = Envelope.builder()
                .extraBaggage(Map.of("caracal.hop", "9", "k", "v"))
                .build();

        assertThat(envelope.extraBaggage()).containsExactly(entry("k", "v"));
    }

    @Test
    void dropsMembersOfOthersWhenThereAreTooMany() {
        Map<String, String> extra = new LinkedHashMap<>();
        for (int i = 0; i < 100; i++) {
            extra.put("k" + i, "v");
        }
        MapHeaders headers = new MapHeaders();
        full().extraBaggage(extra).build().encode(headers);

        String baggage = headers.getAll("baggage").get(0);
        assertThat(baggage).startsWith(OWN + ",k0=v");
        assertThat(Baggage.parse(baggage)).hasSize(Baggage.MAX_MEMBERS);
    }

    @Test
    void dropsMembersOfOthersThatAreTooLong() {
        int room = Baggage.MAX_CHARACTERS - OWN.length() - ",x=".length();
        MapHeaders exact = new MapHeaders().with("baggage", "x=" + "v".repeat(room));
        MapHeaders over = new MapHeaders().with("baggage", "x=" + "v".repeat(room + 1) + ",y=1");

        full().build().encode(exact);
        full().build().encode(over);

        assertThat(exact.getAll("baggage").get(0)).hasSize(Baggage.MAX_CHARACTERS);
        assertThat(over.getAll("baggage")).containsExactly(OWN + ",y=1");
    }

    @Test
    void theLengthsOfMembersOfOthersAddUp() {
        int room = Baggage.MAX_CHARACTERS - OWN.length() - ",x=".length() - ",y=".length();
        String half = "v".repeat(room / 2);
        MapHeaders exact = new MapHeaders().with("baggage", "x=" + half + ",y=" + "v".repeat(room - room / 2));
        MapHeaders over = new MapHeaders().with("baggage", "x=" + half + ",y=" + "v".repeat(room - room / 2 + 1));

        full().build().encode(exact);
        full().build().encode(over);

        assertThat(exact.getAll("baggage").get(0)).hasSize(Baggage.MAX_CHARACTERS);
        assertThat(over.getAll("baggage")).containsExactly(OWN + ",x=" + half);
    }

    @Test
    void keepsTheEncodedBaggage() {
        Envelope envelope = full().build();
        MapHeaders one = new MapHeaders();
        MapHeaders two = new MapHeaders();
        envelope.encode(one);
        envelope.encode(two);

        assertThat(one.getAll("baggage").get(0)).isSameAs(two.getAll("baggage").get(0));
        assertThat(one.getAll("traceparent")).isNotEqualTo(two.getAll("traceparent"));
    }
}
