package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.Json;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

/** The calls on sessions as they go over the wire, and the answer to an opening. */
class SessionBodyVectorTest {
    private static final Pattern DIGITS = Pattern.compile("[0-9]{1,18}");

    @VectorTests("session-body")
    void speaksThePlatformsWire(VectorCase vector) {
        VectorObject input = vector.input();
        switch (input.string("op")) {
            case "start", "sync_start" -> start(vector, input.object("request"));
            case "start_response" -> startResponse(vector);
            default -> sessionCall(vector, input.object("args"));
        }
    }

    private static void start(VectorCase vector, VectorObject fields) {
        String key = fields.stringOrNull("idempotency_key");
        boolean generated = Boolean.TRUE.equals(fields.value("idempotency_key_generated"));
        OpenSession.Builder session = OpenSession.builder(fields.string("zone_id"), fields.string("application_id"))
                .subjectAuthorityRecordId(fields.stringOrNull("subject_authority_record_id"))
                .subjectAuthorityRecordToken(fields.stringOrNull("subject_authority_record_token"))
                .parentId(fields.stringOrNull("parent_id"))
                .lifecycle(fields.stringOrNull("lifecycle"))
                .kind(fields.stringOrNull("kind"))
                .ttlSeconds(WireCases.wholeNumber(vector, fields, "ttl_seconds"))
                .labels(WireCases.texts(vector, fields, "labels"))
                .parentAuthority(fields.stringOrNull("parent_authority"))
                .inheritParentEdgeId(fields.stringOrNull("inherit_parent_edge_id"));
        VectorObject metadata = fields.objectOrNull("metadata");
        if (metadata != null) {
            session = session.metadata(metadata.map());
        }
        OpenSession built = (generated ? session.generatedIdempotencyKey(key) : session.idempotencyKey(key)).build();
        CoordinatorRequests requests = new CoordinatorRequests(WireCases.base(vector.input()));
        if (vector.error() != null || WireCases.hasUnsafeId(fields, "zone_id")) {
            assertThatIllegalArgumentException().isThrownBy(() -> requests.open(built, WireCases.call(fields)));
            return;
        }
        HttpRequest request = requests.open(built, WireCases.call(fields));

        Map<String, String> ours = new HashMap<>();
        if (generated && key != null && !key.isEmpty()) {
            // The kind goes with every key of the SDK; one path of the peer forgets it.
            ours.put("idempotency-key-kind", "generated");
        }
        WireCases.assertSame(request, withoutServiceTtl(vector.expected().object("request")), ours);
    }

    /** The platform refuses a time to live for a service; this SDK never sends it. */
    private static VectorObject withoutServiceTtl(VectorObject expected) {
        if (!"service".equals(expected.object("body").value("lifecycle"))) {
            return expected;
        }
        Map<String, @Nullable Object> body =
                new HashMap<>(expected.object("body").map());
        body.remove("ttl_seconds");
        Map<String, @Nullable Object> copy = new HashMap<>(expected.map());
        copy.put("body", body);
        return new VectorObject(copy);
    }

    private static void sessionCall(VectorCase vector, VectorObject args) {
        CoordinatorRequests requests = new CoordinatorRequests(WireCases.base(vector.input()));
        if (vector.error() != null || WireCases.hasUnsafeId(args, "zone_id", "session_id")) {
            assertThatIllegalArgumentException().isThrownBy(() -> sessionCall(vector, requests, args));
            return;
        }
        WireCases.assertSame(
                sessionCall(vector, requests, args), vector.expected().object("request"), Map.of());
    }

    private static HttpRequest sessionCall(VectorCase vector, CoordinatorRequests requests, VectorObject args) {
        String zone = args.string("zone_id");
        String session = args.string("session_id");
        Long generation = args.hasValue("lease_generation")
                ? (Long) WireCases.wholeNumber(vector, args, "lease_generation")
                : null;
        CallHeaders call = WireCases.call(args);
        return switch (vector.input().string("op")) {
            case "terminate" -> requests.terminate(zone, session, generation, call);
            case "heartbeat" ->
                requests.heartbeat(
                        zone, session, args.hasValue("status") ? args.string("status") : "healthy", generation, call);
            case "lease" -> requests.attach(zone, session, call);
            default -> throw new AssertionError("unknown op in " + vector);
        };
    }

    private static void startResponse(VectorCase vector) {
        Object body = vector.input().value("response");
        HttpRequest request = WireCases.request("POST", "/zones/z/agents");
        HttpResponse response =
                WireCases.response(201, new String(Json.write("response", body), StandardCharsets.UTF_8));
        Map<?, ?> fields = body instanceof Map<?, ?> map ? map : Map.of();
        boolean hasSession = fields.get("agent_session_id") instanceof String id && !id.isEmpty();

        if (!hasSession || !isGeneration(fields.get("lease_generation"))) {
            assertThatThrownBy(() -> SessionAnswer.parse(request, response, true))
                    .isInstanceOf(ProtocolException.class)
                    .hasMessageContaining(
                            body instanceof Map ? (hasSession ? "lease_generation" : "agent_session_id") : "");
            assertThat(vector.error() != null || vector.isAccident() || !hasSession || isOdd(fields))
                    .as("the peer refuses this too, or is more lenient than it should")
                    .isTrue();
            return;
        }
        SessionAnswer answer = SessionAnswer.parse(request, response, true);
        assertThat(answer.agentSessionId()).isEqualTo(fields.get("agent_session_id"));
        assertThat(answer.isReplay()).isFalse();
        if (vector.error() != null) {
            // The generation may be absent or a string; the peer wants a number from a service.
            assertThat(fields.get("lease_generation") instanceof Long).isFalse();
            assertThat(answer.lease().generation()).isEqualTo(generation(fields.get("lease_generation")));
            return;
        }
        VectorObject expected = vector.expected();
        assertThat(answer.agentSessionId()).isEqualTo(expected.string("agent_session_id"));
        assertThat(answer.delegationEdgeId()).isEqualTo(textOrNull(expected.value("delegation_edge_id")));
        assertThat(answer.lease().deadline()).isEqualTo(WireCases.instant(expected.value("heartbeat_deadline_at")));
        assertThat(answer.lease().generation()).isEqualTo(generation(expected.value("lease_generation")));
    }

    private static boolean isGeneration(@Nullable Object value) {
        return value == null
                || (value instanceof Long number && number >= 0)
                || (value instanceof String text && DIGITS.matcher(text).matches());
    }

    /** Python takes true for 1, and checks no sign. */
    private static boolean isOdd(Map<?, ?> fields) {
        Object value = fields.get("lease_generation");
        return value instanceof Boolean || (value instanceof Long number && number < 0);
    }

    private static @Nullable Long generation(@Nullable Object value) {
        long number = value == null ? 0 : Long.parseLong(value.toString());
        return number == 0 ? null : (Long) number;
    }

    private static @Nullable String textOrNull(@Nullable Object value) {
        return value instanceof String text && !text.isEmpty() ? text : null;
    }
}
