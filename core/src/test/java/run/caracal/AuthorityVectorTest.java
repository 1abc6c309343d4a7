package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static run.caracal.test.FakePlatform.LIMIT;

import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.error.NoContextException;
import run.caracal.http.HttpRequest;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.json.Json;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.TraceParent;
import run.caracal.internal.text.Chars;
import run.caracal.internal.wire.CallHeaders;
import run.caracal.internal.wire.ConstraintFields;
import run.caracal.internal.wire.CoordinatorRequests;
import run.caracal.internal.wire.CreateDelegation;
import run.caracal.test.FakePlatform;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorJson;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

/** Grants, constraints and the first request of a delegation, as a peer makes them. */
class AuthorityVectorTest {

    /** In seconds: the Gateway refuses calls under a shorter one. */
    private static final long SHORTEST_DELEGATION = 40;

    @VectorTests("authority")
    void speaksThePlatformsWire(VectorCase vector) {
        switch (vector.input().string("op")) {
            case "default" -> assertGrant(vector, SpawnOptions.defaults().grant());
            case "inherit" -> assertGrant(vector, Grant.inherit());
            case "none" -> assertGrant(vector, Grant.none());
            case "narrow" -> narrow(vector);
            case "constraints" ->
                assertSameJson(
                        constraints(vector.input().object("constraints")).toMap(),
                        vector.expected().value("wire"));
            case "delegate" -> delegate(vector);
            default -> throw new AssertionError("unknown op in " + vector);
        }
    }

    private static void assertGrant(VectorCase vector, Grant grant) {
        VectorObject expected = vector.expected();
        assertThat(grant.toString()).isEqualTo("Grant." + expected.string("mode"));
        assertThat(expected.strings("scopes")).isEmpty();
        assertThat(expected.hasValue("resource_id") || expected.hasValue("ttl_seconds"))
                .isFalse();
    }

    private static void narrow(VectorCase vector) {
        VectorObject input = vector.input();
        List<String> scopes = input.value("scopes") instanceof String one ? List.of(one) : input.strings("scopes");
        Duration ttl = ttl(vector);
        if (vector.error() != null || isRefusedByTheBuilders(input, scopes)) {
            assertThatIllegalArgumentException().isThrownBy(() -> grant(input, scopes, ttl));
            return;
        }
        Grant.Narrow grant = grant(input, scopes, ttl);
        VectorObject expected = vector.expected();
        assertThat(expected.string("mode")).isEqualTo("narrow");
        assertThat(grant.scopes()).isEqualTo(expected.strings("scopes"));
        assertThat(grant.resource().orElse(null)).isEqualTo(expected.stringOrNull("resource_id"));
        assertThat(grant.ttl()).contains(Duration.ofSeconds((long) expected.number("ttl_seconds")));
        assertSameJson(grant.constraints().fields().wire(), expected.value("constraints_wire"));
    }

    private static Grant.Narrow grant(VectorObject input, List<String> scopes, Duration ttl) {
        Grant.Narrow grant = Grant.narrow(scopes).ttl(ttl);
        String resource = input.stringOrNull("resource_id");
        if (resource != null) {
            grant = grant.resource(resource);
        }
        VectorObject constraints = input.objectOrNull("constraints");
        return constraints == null ? grant : grant.constraints(built(constraints(constraints)));
    }

    /**
     * The builders reject inputs that the platform would reject later, or that would grant no authority at all
     * (vectors/README.md).
     */
    private static boolean isRefusedByTheBuilders(VectorObject input, List<String> scopes) {
        VectorObject constraints = input.objectOrNull("constraints");
        return scopes.isEmpty()
                || !scopes.stream().allMatch(scope -> scope.matches("[!-~&&[^\",\\\\]]+"))
                || (input.hasValue("resource_id") && isNoResource(input.string("resource_id")))
                || isOutside(input.number("ttl_seconds"), SHORTEST_DELEGATION, 86_400)
                || (constraints != null && isOutOfLimits(constraints(constraints)));
    }

    private static boolean isNoResource(String id) {
        return id.isEmpty() || Chars.hasBlankOrControl(id);
    }

    private static boolean isOutOfLimits(ConstraintFields fields) {
        List<String> resources = fields.resources();
        String reason = fields.broadReason();
        return (resources != null
                        && (resources.isEmpty()
                                || resources.size() > 64
                                || resources.stream().anyMatch(AuthorityVectorTest::isNoResource)))
                || isOutside(fields.maxDepth(), 1, 10)
                || isOutside(fields.maxHops(), 1, 10)
                || (fields.maxDepth() != null
                        && fields.maxHops() != null
                        && !fields.maxDepth().equals(fields.maxHops()))
                || isOutside(fields.ttlSeconds(), SHORTEST_DELEGATION, 86_400)
                || isOutside(fields.budget(), 1, 64)
                || (reason != null && (reason.isBlank() || reason.length() > 256));
    }

    private static boolean isOutside(@Nullable Number value, long min, long max) {
        return value != null && (value.longValue() < min || value.longValue() > max);
    }

    private static Duration ttl(VectorCase vector) {
        if (vector.input().value("ttl_seconds") instanceof Long seconds) {
            return Duration.ofSeconds(seconds);
        }
        throw vector.leaveOut("ttl_seconds is a Duration in Java, and never null");
    }

    private static ConstraintFields constraints(VectorObject fields) {
        return new ConstraintFields(
                fields.hasValue("resources") ? fields.strings("resources") : null,
                integer(fields, "max_depth"),
                integer(fields, "max_hops"),
                fields.hasValue("ttl_seconds") ? Long.valueOf((long) fields.number("ttl_seconds")) : null,
                integer(fields, "budget"),
                fields.hasValue("policy_approved") ? Boolean.valueOf(fields.bool("policy_approved")) : null,
                fields.stringOrNull("expires_at"),
                fields.stringOrNull("broad_reason"));
    }

    private static @Nullable Integer integer(VectorObject fields, String name) {
        return fields.hasValue(name) ? Integer.valueOf((int) fields.number(name)) : null;
    }

    private static DelegationConstraints built(ConstraintFields fields) {
        DelegationConstraints.Builder builder = DelegationConstraints.builder();
        if (fields.resources() != null) {
            builder = builder.resources(fields.resources());
        }
        if (fields.maxDepth() != null) {
            builder = builder.maxDepth(fields.maxDepth());
        }
        if (fields.maxHops() != null) {
            builder = builder.maxHops(fields.maxHops());
        }
        if (fields.ttlSeconds() != null) {
            builder = builder.ttl(Duration.ofSeconds(fields.ttlSeconds()));
        }
        if (fields.budget() != null) {
            builder = builder.budget(fields.budget());
        }
        if (fields.policyApproved() != null) {
            builder = builder.policyApproved(fields.policyApproved());
        }
        if (fields.expiresAt() != null) {
            builder = builder.expiresAt(Instant.parse(fields.expiresAt()));
        }
        return fields.broadReason() == null
                ? builder.build()
                : builder.broadReason(fields.broadReason()).build();
    }

    private static void delegate(VectorCase vector) {
        VectorObject input = vector.input();
        Duration ttl = ttl(vector);
        VectorObject given = input.objectOrNull("context");
        boolean hasSession = given != null && given.hasValue("agent_session_id");
        if (vector.error() != null && hasSession) {
            assertThatIllegalArgumentException().isThrownBy(() -> spec(input, ttl));
            return;
        }
        if (vector.error() == null && isRefusedByTheBuilders(input, input.strings("scopes"))) {
            assertThatIllegalArgumentException().isThrownBy(() -> spec(input, ttl));
            assertRequest(vector, belowTheBuilders(input, ttl));
            return;
        }
        FakePlatform platform = new FakePlatform();
        platform.nextAnswer(
                FakePlatform::isToken,
                200,
                "{\"access_token\":\"ctx-token\",\"token_type\":\"Bearer\",\"expires_in\":900}");
        Caracal caracal = Caracal.create(platform.config()
                .zoneId(given != null ? given.string("zone_id") : "zone-1")
                .applicationId(given != null ? given.string("application_id") : "app-1")
                .build());
        Mono<Delegation> created = caracal.createDelegation(spec(input, ttl));
        if (given != null) {
            created = caracal.bind(
                    new CaracalContext(new BoundContext(
                            given.string("zone_id"),
                            given.string("application_id"),
                            envelope(given),
                            null,
                            null,
                            false)),
                    created);
        }
        if (vector.error() != null) {
            StepVerifier.create(created).expectError(NoContextException.class).verify(LIMIT);
            assertThat(platform.requests(r -> true)).hasSize(vector.expected().intOr("requests_sent", 0));
        } else {
            StepVerifier.create(created).expectNextCount(1).expectComplete().verify(LIMIT);
            assertRequest(vector, platform.requests(FakePlatform::isDelegate).get(0));
        }
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
    }

    private static DelegationSpec spec(VectorObject input, Duration ttl) {
        DelegationSpec.Builder spec = DelegationSpec.builder()
                .to(input.string("to_session_id"), input.string("to_application_id"))
                .scopes(input.strings("scopes"))
                .ttl(ttl);
        String resource = input.stringOrNull("resource_id");
        if (resource != null) {
            spec = spec.resource(resource);
        }
        VectorObject constraints = input.objectOrNull("constraints");
        return (constraints == null ? spec : spec.constraints(built(constraints(constraints)))).build();
    }

    private static HttpRequest belowTheBuilders(VectorObject input, Duration ttl) {
        VectorObject context = input.object("context");
        VectorObject constraints = input.objectOrNull("constraints");
        CreateDelegation delegation = CreateDelegation.builder(context.string("zone_id"), input.strings("scopes"))
                .issuer(context.string("application_id"), context.string("agent_session_id"))
                .receiver(input.string("to_application_id"), input.string("to_session_id"))
                .parentEdgeId(context.stringOrNull("delegation_edge_id"))
                .resourceId(input.stringOrNull("resource_id"))
                .constraints(
                        constraints == null ? null : constraints(constraints).toMap())
                .ttlSeconds(ttl.toSeconds())
                .idempotencyKey("0123456789abcdef0123456789abcdef")
                .build();
        Envelope envelope = envelope(context);
        return new CoordinatorRequests(URI.create("https://coordinator.example.com"))
                .delegate(
                        delegation,
                        new CallHeaders(
                                "Bearer ctx-token",
                                TraceParent.write(envelope.traceId(), envelope.traceFlags()),
                                envelope.traceState(),
                                LIMIT));
    }

    private static Envelope envelope(VectorObject context) {
        return Envelope.builder()
                .agentSessionId(context.stringOrNull("agent_session_id"))
                .delegationEdgeId(context.stringOrNull("delegation_edge_id"))
                .traceId(context.stringOrNull("trace_id"))
                .traceFlags(context.stringOrNull("trace_flags"))
                .traceState(context.stringOrNull("trace_state"))
                .build();
    }

    private static void assertRequest(VectorCase vector, HttpRequest actual) {
        VectorObject expected = vector.expected().object("request");
        assertThat(actual.method()).isEqualTo(expected.string("method"));
        assertThat(actual.uri().getRawPath()).isEqualTo(expected.string("path"));
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        headers.putAll(actual.headers());
        expected.object("headers").map().forEach((name, value) -> {
            if (name.endsWith("_pattern")) {
                assertThat(headers.get(name.replace("_pattern", ""))).matches(String.valueOf(value));
            } else {
                assertThat(headers.get(name)).isEqualTo(value);
            }
        });
        assertThat(VectorJson.parseObject(FakePlatform.body(actual).getBytes(StandardCharsets.UTF_8)))
                .isEqualTo(expected.object("body"));
    }

    private static void assertSameJson(@Nullable Object actual, @Nullable Object expected) {
        assertThat(VectorJson.parse(Json.write("actual", actual))).isEqualTo(expected);
    }
}
