package run.caracal.platform;

import java.time.Duration;
import java.time.Instant;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Mints mandates as the Gateway forwards them to an upstream, for calls to an application under test. A mutable builder: each
 * {@link #mint()} returns a new mandate, signed with the zone's key by default. Not thread-safe.
 *
 * <pre>{@code
 * String bearer = platform.mandates().scopes("billing:charge").session("session-1").mint();
 * }</pre>
 *
 * <p>Such a mandate has no session and no delegation at the platform. It is for verifiers; the Gateway rejects it.
 */
public final class TestMandates {

    private static final Duration LIFE = Duration.ofMinutes(15);
    private static final Duration LONG_AGO = Duration.ofHours(1);

    private final Zone zone;
    private final Map<String, @Nullable Object> claims = new LinkedHashMap<>();
    private Duration age = Duration.ZERO;
    private Signature signature = Signature.GOOD;

    /** The signature of a mandate. */
    private enum Signature {
        GOOD,
        OF_OTHER_CLAIMS,
        BY_STRANGER
    }

    /**
     * A member of a chain of delegations.
     *
     * @param applicationId the application
     * @param agentSessionId its session
     */
    public record Hop(String applicationId, String agentSessionId) {}

    TestMandates(Zone zone, String issuer, String applicationId, String resourceId) {
        this.zone = zone;
        claims.put("iss", issuer);
        claims.put("sub", applicationId);
        claims.put("aud", List.of(resourceId));
        claims.put("target", List.of(resourceId));
        claims.put("zone_id", zone.id);
        claims.put("client_id", applicationId);
        claims.put("sid", "authority-" + applicationId);
        claims.put("root_sid", "authority-" + applicationId);
        claims.put("use", Mandate.USE_RESOURCE);
        claims.put("sub_type", "application");
        claims.put("scope", "");
    }

    /** Sets the resource, audience and target of the mandates; the platform's first unless set. */
    public TestMandates resource(String resourceId) {
        return set(Map.of("aud", List.of(resourceId), "target", List.of(resourceId)));
    }

    /** Sets the scopes; none unless set. */
    public TestMandates scopes(String... scopes) {
        return set(Map.of("scope", String.join(" ", scopes)));
    }

    /** Sets the application; the platform's first unless set. */
    public TestMandates application(String applicationId) {
        return set(Map.of("sub", applicationId, "client_id", applicationId));
    }

    /** Sets a user as the subject. */
    public TestMandates user(String subject) {
        return set(Map.of("sub", subject, "sub_type", Mandate.SUB_TYPE_USER));
    }

    /** Sets the authority record, which a revocation names. */
    public TestMandates authorityRecord(String recordId) {
        return set(Map.of("sid", recordId, "root_sid", recordId));
    }

    /** Sets the session. */
    public TestMandates session(String agentSessionId) {
        return set(Map.of("agent_session_id", agentSessionId));
    }

    /**
     * Sets a delegation from one session to another.
     *
     * @param targetSessionId the receiving session, which acts
     */
    public TestMandates delegation(String delegationEdgeId, String sourceSessionId, String targetSessionId) {
        return set(Map.of(
                "agent_session_id", targetSessionId,
                "delegation_edge_id", delegationEdgeId,
                "source_session_id", sourceSessionId,
                "target_session_id", targetSessionId,
                "delegation_path", List.of(delegationEdgeId),
                "hop_count", 1L));
    }

    /**
     * Sets a chain of delegations. The mandates belong to its last application and session; the delegations have the ids {@code
     * delegation-1}, {@code delegation-2} and so on.
     *
     * @param stations the issuers, the root first, then the acting session; at least two
     * @throws IllegalArgumentException if there are fewer
     */
    public TestMandates chain(Hop... stations) {
        if (stations.length < 2) {
            throw new IllegalArgumentException("a chain has two stations at least, not " + stations.length);
        }
        int last = stations.length - 1;
        List<String> path = Stream.iterate(1, n -> n + 1)
                .limit(last)
                .map(n -> "delegation-" + n)
                .toList();
        List<Map<String, @Nullable Object>> chain = Arrays.stream(stations)
                .map(station -> {
                    Map<String, @Nullable Object> hop = Json.object();
                    hop.put("application_id", station.applicationId());
                    hop.put("agent_session_id", station.agentSessionId());
                    return hop;
                })
                .collect(Collectors.toList());
        for (int i = 0; i < last; i++) {
            chain.get(i).put("delegation_edge_id", path.get(i));
        }
        return application(stations[last].applicationId())
                .delegation(path.get(last - 1), stations[last - 1].agentSessionId(), stations[last].agentSessionId())
                .set(Map.of("delegation_path", path, "delegation_chain", chain, "hop_count", (long) last));
    }

    /** Names another zone; this one still signs. */
    public TestMandates zone(String zoneId) {
        return set(Map.of("zone_id", zoneId));
    }

    /**
     * Sets any claim, for instance one that has no method here.
     *
     * @param name the claim
     * @param value text, a number that fits a {@code Long}, a boolean, or a list or map of these
     */
    public TestMandates claim(String name, Object value) {
        return set(Map.of(name, value instanceof Integer number ? Long.valueOf(number) : value));
    }

    /** Expires the mandates an hour ago. */
    public TestMandates expired() {
        age = LIFE.plus(LONG_AGO);
        return this;
    }

    /** Changes the claims after signing, which invalidates the signature. */
    public TestMandates tampered() {
        signature = Signature.OF_OTHER_CLAIMS;
        return this;
    }

    /** Signs with another key, under the key id of the zone. */
    public TestMandates forged() {
        signature = Signature.BY_STRANGER;
        return this;
    }

    /** {@return a new mandate, without {@code Bearer}} Blocks on the random source. */
    public String mint() {
        Map<String, @Nullable Object> minted = new LinkedHashMap<>(claims);
        Instant issuedAt = zone.now().minus(age);
        minted.putIfAbsent("iat", issuedAt.getEpochSecond());
        minted.putIfAbsent("exp", issuedAt.plus(LIFE).getEpochSecond());
        minted.putIfAbsent("jti", Ids.random());
        return switch (signature) {
            case GOOD -> zone.keys.signed(minted);
            case BY_STRANGER -> zone.keys.sameNameOtherKey().signed(minted);
            case OF_OTHER_CLAIMS -> {
                String signed = zone.keys.signed(minted);
                minted.put("jti", Ids.random());
                String other = zone.keys.signed(minted);
                yield other.substring(0, other.lastIndexOf('.')) + signed.substring(signed.lastIndexOf('.'));
            }
        };
    }

    /** {@return the headers of a call with a new mandate} Blocks on the random source. */
    public Map<String, String> headers() {
        return Map.of("Authorization", "Bearer " + mint());
    }

    private TestMandates set(Map<String, ?> changes) {
        claims.putAll(changes);
        return this;
    }

    /** Shows the claims, which hold no secret. */
    @Override
    public String toString() {
        return "TestMandates" + new TreeMap<>(claims);
    }
}
