package run.caracal.bench;

import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Locale;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.atomic.LongAdder;

/** The answers of a platform that decides nothing and remembers nothing, so that the SDK is what is measured. */
final class Canned {
    static final int TOKEN_LENGTH = 900;
    static final String TOKEN = "t".repeat(TOKEN_LENGTH);
    static final String RESOURCE = "resource://billing-api";
    static final String UPSTREAM = "https://billing.example.com";

    private static final byte[] TOKEN_ANSWER =
            bytes("{\"access_token\":\"" + TOKEN + "\",\"token_type\":\"Bearer\",\"expires_in\":3600}");
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
        return path.endsWith("/oauth/2/token") || path.contains("/agents");
    }

    byte[] answer(String method, String path, boolean service) {
        if (path.endsWith("/oauth/2/token")) {
            exchanges.increment();
            return TOKEN_ANSWER;
        }
        if (path.endsWith("/heartbeat")) {
            renewals.increment();
            return bytes("{\"agent\":{\"id\":\"a\",\"status\":\"active\"," + lease() + "}}");
        }
        if (method.equals("DELETE")) {
            return new byte[0];
        }
        if (path.endsWith("/agents")) {
            opened.increment();
            return bytes("{\"agent_session_id\":\"" + id() + "\",\"delegation_edge_id\":null"
                    + (service ? "," + lease() : "") + "}");
        }
        return RESOURCE_ANSWER;
    }

    static int status(String method, String path) {
        return method.equals("DELETE") ? 204 : path.endsWith("/agents") ? 201 : 200;
    }

    private String lease() {
        Instant now = Instant.now();
        return "\"lease_generation\":1,\"last_heartbeat_at\":\"" + now + "\",\"heartbeat_deadline_at\":\""
                + now.plusSeconds(leaseSeconds) + "\"";
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
