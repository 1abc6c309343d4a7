package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import java.net.URI;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;

class CoordinatorAnswersTest {
    private static final HttpRequest OPEN = WireCases.request("POST", "/zones/z/agents");
    private static final HttpRequest BEAT = WireCases.request("POST", "/zones/z/agents/s/heartbeat");

    @Test
    void readsAnOpenedSession() {
        SessionAnswer answer = SessionAnswer.parse(
                OPEN,
                WireCases.response(
                        201,
                        "{\"agent_session_id\":\"s\",\"delegation_edge_id\":\"d\",\"lifecycle\":\"a-new-one\",\"novel\":{},"
                                + "\"last_heartbeat_at\":\"2026-01-01T00:00:00.500Z\","
                                + "\"heartbeat_deadline_at\":\"2026-01-01T00:02:00.500Z\",\"lease_generation\":\"1\"}"),
                true);

        assertThat(answer)
                .isEqualTo(new SessionAnswer(
                        "s",
                        "d",
                        new LeaseTerms(1L, Instant.parse("2026-01-01T00:02:00.500Z"), Duration.ofMinutes(2)),
                        false));
    }

    /** The platform also sends instants of a lease for a task, which has none. */
    @Test
    void readsNoLeaseOfATask() {
        String body = "{\"agent_session_id\":\"s\",\"heartbeat_deadline_at\":\"2026-01-01T00:02:00.500Z\","
                + "\"lease_generation\":0}";

        assertThat(SessionAnswer.parse(OPEN, WireCases.response(201, body), false)
                        .lease())
                .isEqualTo(new LeaseTerms(null, null, null));
    }

    /** Release 1.0 marks a replay in a header, the one before it with another status. */
    @Test
    void recognisesReplays() {
        String body = "{\"agent_session_id\":\"s\"}";
        Map<String, String> mark = Map.of("Idempotency-Replayed", "true");

        assertThat(SessionAnswer.parse(OPEN, WireCases.response(201, body), true)
                        .isReplay())
                .isFalse();
        assertThat(SessionAnswer.parse(OPEN, WireCases.response(201, mark, body), true)
                        .isReplay())
                .isTrue();
        assertThat(SessionAnswer.parse(OPEN, WireCases.response(200, body), true)
                        .isReplay())
                .isTrue();
    }

    /** Without {@code last_heartbeat_at} the header counts, rounded against the holder. */
    @Test
    void measuresALeaseByTheCoordinatorsClock() {
        Map<String, String> date = Map.of("Date", "Thu, 01 Jan 2026 00:00:00 GMT");
        String deadline = "\"heartbeat_deadline_at\":\"2026-01-01T00:02:00Z\"";

        assertThat(lease(Map.of(), deadline).length()).isNull();
        assertThat(lease(date, deadline).length()).isEqualTo(Duration.ofSeconds(119));
        assertThat(lease(date, deadline + ",\"last_heartbeat_at\":\"2026-01-01T00:00:30Z\"")
                        .length())
                .isEqualTo(Duration.ofSeconds(90));
        assertThat(lease(date, "\"heartbeat_deadline_at\":\"2025-12-31T00:00:00Z\"")
                        .length())
                .isZero();
        assertThat(lease(date, "\"lease_generation\":3")).isEqualTo(new LeaseTerms(3L, null, null));
    }

    private static LeaseTerms lease(Map<String, String> headers, String fields) {
        return LeaseAnswer.parse(BEAT, WireCases.response(200, headers, "{" + fields + "}"))
                .lease();
    }

    /** Unknown states pass through. */
    @Test
    void readsRenewalsAndTakeovers() {
        String fields = "{\"status\":\"a-state-of-tomorrow\",\"lease_generation\":2}";
        LeaseAnswer expected = new LeaseAnswer("a-state-of-tomorrow", new LeaseTerms(2L, null, null));

        assertThat(LeaseAnswer.parse(BEAT, WireCases.response(200, "{\"agent\":" + fields + ",\"service\":null}")))
                .isEqualTo(expected);
        assertThat(LeaseAnswer.parse(BEAT, WireCases.response(200, fields))).isEqualTo(expected);
        assertThat(LeaseAnswer.parse(BEAT, WireCases.response(200, "{}")))
                .isEqualTo(new LeaseAnswer(null, new LeaseTerms(null, null, null)));
    }

    @Test
    void readsInboundDelegations() {
        HttpRequest request = WireCases.request("GET", "/zones/z/delegations/inbound/s/e");

        assertThat(InboundAnswer.parse(request, WireCases.response(200, "{\"id\":\"e\",\"status\":\"active\"}")))
                .isEqualTo(new InboundAnswer("e", "active"));
        assertThatThrownBy(() -> InboundAnswer.parse(request, WireCases.response(200, "{}")))
                .isInstanceOf(ProtocolException.class)
                .hasMessageContaining("id");
    }

    /** A session that was opened with an answer that cannot be used can still be ended. */
    @Test
    void knowsTheSessionOfAnUnusableAnswer() {
        var response = WireCases.response(
                201, Map.of("X-Request-Id", "req-7"), "{\"agent_session_id\":\"s\",\"lease_generation\":1.5}");

        ProtocolException error =
                catchThrowableOfType(ProtocolException.class, () -> SessionAnswer.parse(OPEN, response, true));
        assertThat(error).hasMessageContaining("lease_generation").hasMessageContaining("req-7");
        assertThat(error.operation()).isEqualTo("POST /zones/z/agents");
        assertThat(error.httpStatus()).isEqualTo(201);
        assertThat(error.requestId()).contains("req-7");
        assertThat(SessionAnswer.idOf(response)).isEqualTo("s");
        assertThat(SessionAnswer.idOf(WireCases.response(201, "<html>"))).isNull();
    }

    /** An id that would lead to another path is never sent. */
    @ParameterizedTest
    @ValueSource(strings = {"", ".", ".."})
    void refusesIdsThatLeadElsewhere(String id) {
        CoordinatorRequests requests = new CoordinatorRequests(URI.create("http://coordinator.test"));
        CallHeaders call = new CallHeaders("Bearer t", null, null, Duration.ofSeconds(1));

        assertThatIllegalArgumentException()
                .isThrownBy(() -> requests.terminate("z", id, null, call))
                .withMessageContaining("agentSessionId");
        assertThatIllegalArgumentException()
                .isThrownBy(() -> requests.revoke("z", id, call))
                .withMessageContaining("delegationEdgeId");
    }

    /** A token that cannot be sent is not repeated. */
    @ParameterizedTest
    @ValueSource(strings = {"s3cret\n", "s3cret x", "s3cret\u0000", "s3cret\u00e9", "s3cret\u007f", ""})
    void refusesTokensThatAreNone(String token) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> new CallHeaders("Bearer " + token, null, null, Duration.ofSeconds(1)))
                .withMessageContaining("bearer")
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("s3cret"));
    }

    @Test
    void showsNoToken() {
        CallHeaders call = new CallHeaders("Bearer s3cret", null, null, Duration.ofSeconds(1));
        OpenSession session = OpenSession.builder("z", "a")
                .subjectAuthorityRecordToken("t0ken")
                .build();
        HttpRequest request = new CoordinatorRequests(URI.create("http://coordinator.test")).open(session, call);

        assertThat(call.toString() + session + request).doesNotContain("s3cret", "t0ken");
    }
}
