package run.caracal.bench;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.LongAdder;
import org.jspecify.annotations.Nullable;

/**
 * The answers of a platform that decides nothing and remembers nothing, with all the fields that the platform answers, so
 * that only the SDK is measured.
 */
final class Canned {
    static final int TOKEN_LENGTH = 900;
    static final String TOKEN = "t".repeat(TOKEN_LENGTH);
    static final String RESOURCE = "resource://billing-api";
    static final String SCOPE = "billing:charge";
    static final String UPSTREAM = "https://billing.example.com";

    private static final byte[] RESOURCE_ANSWER = bytes("x".repeat(200));

    /** How many token exchanges were answered. */
    final LongAdder exchanges = new LongAdder();

    /** How many renewals were answered. */
    final LongAdder renewals = new LongAdder();

    /** How many sessions were opened. */
    final LongAdder opened = new LongAdder();

    private final int leaseSeconds;

    Canned(int leaseSeconds) {
        this.leaseSeconds = leaseSeconds;
    }

    /** Whether the answer has a body of JSON; the resource's own has none. */
    static boolean isControl(String path) {
        return path.endsWith("/oauth/2/token") || path.startsWith("/zones/");
    }

    byte[] answer(String method, String path, byte @Nullable [] body) {
        String sent = body == null ? "" : new String(body, StandardCharsets.UTF_8);
        if (path.endsWith("/oauth/2/token")) {
            exchanges.increment();
            return token(sent.contains("agent_session_id=") ? SCOPE : "agent:lifecycle");
        }
        if (path.endsWith("/heartbeat")) {
            renewals.increment();
            return bytes("{\"agent\":{\"id\":\"a\",\"status\":\"active\",\"lease_generation\":1," + lease() + "}}");
        }
        if (method.equals("DELETE")) {
            return new byte[0];
        }
        if (path.endsWith("/agents")) {
            opened.increment();
            return session(sent.contains("\"service\""));
        }
        if (path.endsWith("/delegations")) {
            return bytes("{\"delegation_edge_id\":\"" + id() + "\",\"scopes\":[\"" + SCOPE + "\"],\"expires_at\":\""
                    + now().plusSeconds(3600)
                    + "\",\"warnings\":[],\"allow_reason\":[],\"effective_authority\":{}}");
        }
        return RESOURCE_ANSWER;
    }

    private static byte[] token(String scope) {
        return bytes("{\"access_token\":\"" + TOKEN + "\",\"token_type\":\"Bearer\",\"expires_in\":3600,\"scope\":\""
                + scope + "\",\"issued_token_type\":\"urn:ietf:params:oauth:token-type:access_token\","
                + "\"target_resources\":[\"" + RESOURCE + "\"]}");
    }

    private byte[] session(boolean service) {
        return bytes("{\"agent_session_id\":\"" + id()
                + "\",\"zone_id\":\"zone-1\",\"application_id\":\"app-1\",\"parent_id\":null,"
                + "\"subject_authority_record_id\":\"" + id() + "\",\"lifecycle\":\""
                + (service ? "service" : "task")
                + "\",\"labels\":[],\"status\":\"active\",\"depth\":0,\"ttl_seconds\":"
                + (service ? "null" : "3600") + ",\"started_at\":\"" + now() + "\"," + lease()
                + ",\"lease_generation\":" + (service ? 1 : 0) + ",\"delegation_edge_id\":null}");
    }

    static int status(String method, String path) {
        return method.equals("DELETE") ? 204 : path.endsWith("/agents") || path.endsWith("/delegations") ? 201 : 200;
    }

    private String lease() {
        Instant now = now();
        return "\"last_heartbeat_at\":\"" + now + "\",\"heartbeat_deadline_at\":\"" + now.plusSeconds(leaseSeconds)
                + "\"";
    }

    private static Instant now() {
        return Instant.now().truncatedTo(ChronoUnit.MILLIS);
    }

    /** An id of the length that the platform's have; not a random UUID, whose generator is slow. */
    static String id() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        return String.format(
                Locale.ROOT, "%08x-0000-7000-8000-%012x", random.nextInt(), random.nextLong() & 0xFFFF_FFFF_FFFFL);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }
}
