package run.caracal.error;

import java.io.Serializable;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A limit that rejected or delayed a call: one of the platform ({@link ServiceException#limit()}) or of the client
 * ({@link CapacityException#limit()}).
 *
 * @param kind the kind of the limit
 * @param number how much it allows: the client's setting, or the platform's default, which an operator can change;
 *     {@code null} if unknown
 * @param passes whether the same call may succeed later, unchanged
 * @param passesAfter the longest time until it passes; {@code null} if it does not pass, or passes when sessions end
 */
public record Limit(
        Kind kind,
        @Nullable Integer number,
        boolean passes,
        @Nullable Duration passesAfter) implements Serializable {
    private static final long serialVersionUID = 1L;

    private static final Duration MINUTE = Duration.ofMinutes(1);

    /** The scope that a limit counts in. */
    public enum Scope {
        /** A zone. */
        ZONE,
        /** One application. */
        APPLICATION,
        /** One application's use of one resource. */
        RESOURCE,
        /** The descendants of one session. */
        SESSION,
        /** One network address. */
        ADDRESS,
        /** One client of this SDK. */
        CLIENT,
        /** Unknown. */
        UNKNOWN
    }

    /** The kind of a limit. */
    public enum Kind {
        /** The open sessions of a zone. */
        ZONE_SESSIONS(Scope.ZONE),
        /** The open sessions of an application. */
        APPLICATION_SESSIONS(Scope.APPLICATION),
        /** The open children of a session. */
        SESSION_CHILDREN(Scope.SESSION),
        /** The nesting depth of sessions. */
        SESSION_DEPTH(Scope.SESSION),
        /** The stored idempotency keys of an application. */
        IDEMPOTENCY_KEYS(Scope.APPLICATION),
        /** The calls to the Coordinator per minute. */
        COORDINATOR_CALLS(Scope.ADDRESS),
        /** The mints for a resource per minute; a mandate is counted when it is minted and when it is used. */
        MINTS(Scope.RESOURCE),
        /** The wrong client secrets per minute. */
        FAILED_SECRETS(Scope.APPLICATION),
        /** The open sessions of a client: {@code maxOpenSessions}. */
        CLIENT_SESSIONS(Scope.CLIENT),
        /** The mints of a client for a resource per minute: {@code maxMintsPerMinute}. */
        CLIENT_MINTS(Scope.CLIENT),
        /** Any other, for instance that of a proxy or an upstream. */
        OTHER(Scope.UNKNOWN);

        private final Scope scope;

        Kind(Scope scope) {
            this.scope = scope;
        }

        /** {@return the scope that the limit counts in} */
        public Scope scope() {
            return scope;
        }
    }

    /** The limit behind an answer of the Coordinator, or {@code null}. */
    static @Nullable Limit ofCoordinator(Refusal refusal) {
        if (refusal.httpStatus() != 429) {
            return null;
        }
        // The release before 1.0 calls sessions agents.
        String code = refusal.code().startsWith("agent_")
                ? "session_" + refusal.code().substring("agent_".length())
                : refusal.code();
        return switch (code) {
            case "session_zone_limit_exceeded" -> sessions(Kind.ZONE_SESSIONS, 50, refusal);
            case "session_limit_exceeded" -> sessions(Kind.APPLICATION_SESSIONS, 200, refusal);
            case "session_children_limit_exceeded" -> sessions(Kind.SESSION_CHILDREN, 10, refusal);
            case "session_depth_limit_exceeded" -> new Limit(Kind.SESSION_DEPTH, 10, false, null);
            case "idempotency_receipt_limit_exceeded" ->
                new Limit(Kind.IDEMPOTENCY_KEYS, 10_000, true, Duration.ofDays(7));
            case "rate_limited" -> new Limit(Kind.COORDINATOR_CALLS, 600, true, orMinute(refusal));
            default -> other(refusal);
        };
    }

    /**
     * The limit behind an answer of the STS or the Gateway, or {@code null}. Above the mint limit the STS drops the
     * resource from the request, so its policy has nothing to allow, and the answer is a bare {@code policy denied}.
     */
    static @Nullable Limit ofSts(Refusal refusal) {
        if (refusal.httpStatus() == 403
                && refusal.code().equals("access_denied")
                && refusal.description().equals("policy denied")) {
            return new Limit(Kind.MINTS, 1000, true, orMinute(refusal));
        }
        if (refusal.httpStatus() != 429) {
            return null;
        }
        return refusal.description().startsWith("authentication rate limit exceeded")
                ? new Limit(Kind.FAILED_SECRETS, 60, true, orMinute(refusal))
                : other(refusal);
    }

    /** The limit behind an answer of an upstream, of which only the status is known, or {@code null}. */
    static @Nullable Limit ofOthers(Refusal refusal) {
        return refusal.httpStatus() == 429 ? other(refusal) : null;
    }

    private static Limit other(Refusal refusal) {
        return new Limit(Kind.OTHER, null, true, refusal.retryAfter());
    }

    private static Limit sessions(Kind kind, int number, Refusal refusal) {
        return new Limit(kind, number, true, refusal.retryAfter());
    }

    private static Duration orMinute(Refusal refusal) {
        Duration asked = refusal.retryAfter();
        return asked == null ? MINUTE : asked;
    }
}
