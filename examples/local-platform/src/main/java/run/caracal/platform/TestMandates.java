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
 * Mandates as the Gateway hands them to an upstream, for calls to an application under test. Immutable: each {@code with}
 * gives other mandates. {@link #mint()} makes one, signed by the zone's own key unless it is asked for otherwise.
 *
 * <pre>{@code
 * String bearer = platform.mandates().withScopes("billing:charge").withSession("session-1").mint();
 * }</pre>
 *
 * <p>Nothing at the platform stands behind such a mandate: no session is open and no delegation made. It is for verifiers; the
 * Gateway refuses it.
 */
public final class TestMandates {

    private static final Duration LIFE = Duration.ofMinutes(15);
    private static final Duration LONG_AGO = Duration.ofHours(1);

    private final Zone zone;
    private final Map<String, @Nullable Object> claims;
    private final Duration age;
    private final Signature signature;

    /** How a mandate is signed. */
    private enum Signature {
        GOOD,
        OF_OTHER_CLAIMS,
        BY_STRANGER
    }

    /**
     * A station of a chain of delegations.
     *
     * @param applicationId the application
     * @param agentSessionId its session
     */
    public record Hop(String applicationId, String agentSessionId) {}

    TestMandates(Zone zone, String issuer, String applicationId, String resourceId) {
        this(zone, new LinkedHashMap<>(), Duration.ZERO, Signature.GOOD);
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

    private TestMandates(Zone zone, Map<String, @Nullable Object> claims, Duration age, Signature signature) {
        this.zone = zone;
        this.claims = claims;
        this.age = age;
        this.signature = signature;
    }

    /**
     * {@return mandates for another resource} Without it they are for the platform's first.
     *
     * @param resourceId the resource: audience and target of the mandates
     */
    public TestMandates withResource(String resourceId) {
        return with(Map.of("aud", List.of(resourceId), "target", List.of(resourceId)));
    }

    /** {@return mandates with these scopes} Without it they have none. */
    public TestMandates withScopes(String... scopes) {
        return with(Map.of("scope", String.join(" ", scopes)));
    }

    /**
     * {@return mandates of another application} Without it they are the first application's.
     *
     * @param applicationId the application
     */
    public TestMandates withApplication(String applicationId) {
        return with(Map.of("sub", applicationId, "client_id", applicationId));
    }

    /**
     * {@return mandates that act for a user}
     *
     * @param subject the user
     */
    public TestMandates withUser(String subject) {
        return with(Map.of("sub", subject, "sub_type", Mandate.SUB_TYPE_USER));
    }

    /**
     * {@return mandates that stand on another authority record}
     *
     * @param recordId the record; what a revocation names
     */
    public TestMandates withAuthorityRecord(String recordId) {
        return with(Map.of("sid", recordId, "root_sid", recordId));
    }

    /**
     * {@return mandates of a session}
     *
     * @param agentSessionId the session
     */
    public TestMandates withSession(String agentSessionId) {
        return with(Map.of("agent_session_id", agentSessionId));
    }

    /**
     * {@return mandates under a delegation from one session to another}
     *
     * @param delegationEdgeId the delegation
     * @param sourceSessionId the session that gave it
     * @param targetSessionId the session that received it, and acts
     */
    public TestMandates withDelegation(String delegationEdgeId, String sourceSessionId, String targetSessionId) {
        return with(Map.of(
                "agent_session_id", targetSessionId,
                "delegation_edge_id", delegationEdgeId,
                "source_session_id", sourceSessionId,
                "target_session_id", targetSessionId,
                "delegation_path", List.of(delegationEdgeId),
                "hop_count", 1L));
    }

    /**
     * {@return mandates at the end of a chain of delegations} They are of the last application and its session, and the
     * delegations have made-up ids: {@code delegation-1} is the first.
     *
     * @param stations who passed its authority on, the root first, and at last who acts; two at least
     * @throws IllegalArgumentException if there are fewer
     */
    public TestMandates withChain(Hop... stations) {
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
        return withApplication(stations[last].applicationId())
                .withDelegation(
                        path.get(last - 1), stations[last - 1].agentSessionId(), stations[last].agentSessionId())
                .with(Map.of("delegation_path", path, "delegation_chain", chain, "hop_count", (long) last));
    }

    /**
     * {@return mandates of another zone, signed by this one all the same}
     *
     * @param zoneId the zone
     */
    public TestMandates withZone(String zoneId) {
        return with(Map.of("zone_id", zoneId));
    }

    /**
     * {@return mandates with a claim of any value} For whatever has no name here.
     *
     * @param name the claim
     * @param value text, a number that fits a {@code Long}, a boolean, or a list or map of these
     */
    public TestMandates withClaim(String name, Object value) {
        return with(Map.of(name, value instanceof Integer number ? Long.valueOf(number) : value));
    }

    /** {@return mandates that expired an hour ago} */
    public TestMandates expired() {
        return new TestMandates(zone, claims, LIFE.plus(LONG_AGO), signature);
    }

    /** {@return mandates whose claims were changed after they were signed: the signature does not fit them} */
    public TestMandates tampered() {
        return new TestMandates(zone, claims, age, Signature.OF_OTHER_CLAIMS);
    }

    /** {@return mandates that somebody else signed, in the zone's name and that of its key} */
    public TestMandates forged() {
        return new TestMandates(zone, claims, age, Signature.BY_STRANGER);
    }

    /** {@return a new mandate, as it stands behind {@code Bearer}} Blocks on the machine's source of randomness. */
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

    /** {@return the headers of a call with a new mandate} Blocks on the machine's source of randomness. */
    public Map<String, String> headers() {
        return Map.of("Authorization", "Bearer " + mint());
    }

    private TestMandates with(Map<String, ?> changes) {
        Map<String, @Nullable Object> changed = new LinkedHashMap<>(claims);
        changed.putAll(changes);
        return new TestMandates(zone, changed, age, signature);
    }

    /** Shows the claims, which hold no secret. */
    @Override
    public String toString() {
        return "TestMandates" + new TreeMap<>(claims);
    }
}
