package run.caracal.internal.wire;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import run.caracal.error.ProtocolException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.Json;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

/** The calls on delegations as they go over the wire, and the answer to a creation. */
class DelegationBodyVectorTest {

    @VectorTests("delegation-body")
    void speaksThePlatformsWire(VectorCase vector) {
        VectorObject input = vector.input();
        switch (input.string("op")) {
            case "create" -> create(vector, input.object("request"));
            case "create_response" -> createResponse(vector);
            default -> delegationCall(vector, input.object("args"));
        }
    }

    private static void create(VectorCase vector, VectorObject fields) {
        VectorObject constraints = fields.objectOrNull("constraints");
        CreateDelegation delegation = CreateDelegation.builder(
                        fields.string("zone_id"), WireCases.texts(vector, fields, "scopes"))
                .issuer(fields.string("issuer_application_id"), fields.string("source_session_id"))
                .receiver(fields.string("receiver_application_id"), fields.string("target_session_id"))
                .parentEdgeId(fields.stringOrNull("parent_edge_id"))
                .resourceId(fields.stringOrNull("resource_id"))
                .constraints(constraints == null ? null : constraints.map())
                .ttlSeconds(WireCases.wholeNumber(vector, fields, "ttl_seconds"))
                .idempotencyKey(fields.stringOrNull("idempotency_key"))
                .build();
        CoordinatorRequests requests = new CoordinatorRequests(WireCases.base(vector.input()));
        if (vector.error() != null || WireCases.hasUnsafeId(fields, "zone_id")) {
            assertThatIllegalArgumentException()
                    .isThrownBy(() -> requests.delegate(delegation, WireCases.call(fields)));
            return;
        }
        WireCases.assertSame(
                requests.delegate(delegation, WireCases.call(fields)),
                vector.expected().object("request"),
                Map.of());
    }

    private static void delegationCall(VectorCase vector, VectorObject args) {
        CoordinatorRequests requests = new CoordinatorRequests(WireCases.base(vector.input()));
        if (vector.error() != null || WireCases.hasUnsafeId(args, "zone_id", "session_id", "delegation_id")) {
            assertThatIllegalArgumentException().isThrownBy(() -> delegationCall(vector, requests, args));
            return;
        }
        WireCases.assertSame(
                delegationCall(vector, requests, args), vector.expected().object("request"), Map.of());
    }

    private static HttpRequest delegationCall(VectorCase vector, CoordinatorRequests requests, VectorObject args) {
        String zone = args.string("zone_id");
        CallHeaders call = WireCases.call(args);
        return switch (vector.input().string("op")) {
            case "revoke" -> requests.revoke(zone, args.string("delegation_id"), call);
            case "get_inbound" -> requests.inbound(zone, args.string("session_id"), args.string("delegation_id"), call);
            case "list_inbound" -> throw vector.leaveOut("the SDK asks for one delegation, never for all of a session");
            default -> throw new AssertionError("unknown op in " + vector);
        };
    }

    private static void createResponse(VectorCase vector) {
        Object body = vector.input().value("response");
        HttpRequest request = WireCases.request("POST", "/zones/z/delegations");
        HttpResponse response =
                WireCases.response(201, new String(Json.write("response", body), StandardCharsets.UTF_8));
        boolean hasEdge =
                body instanceof Map<?, ?> map && map.get("delegation_edge_id") instanceof String id && !id.isEmpty();
        if (!hasEdge) {
            assertThatThrownBy(() -> DelegationAnswer.parse(request, response))
                    .isInstanceOf(ProtocolException.class)
                    .hasMessageContaining(body instanceof Map ? "delegation_edge_id" : "");
            return;
        }
        DelegationAnswer answer = DelegationAnswer.parse(request, response);
        if (vector.error() != null || vector.isAccident()) {
            return; // the edge exists; other bad fields are no reason to lose it
        }
        VectorObject expected = vector.expected();
        assertThat(answer.delegationEdgeId()).isEqualTo(expected.string("delegation_edge_id"));
        boolean listed = expected.value("scopes") instanceof List<?> list
                && list.stream().allMatch(String.class::isInstance);
        if (listed) {
            assertThat(answer.scopes()).isEqualTo(expected.strings("scopes"));
        }
        assertThat(answer.expiresAt()).isEqualTo(WireCases.instant(expected.value("expires_at")));
    }
}
