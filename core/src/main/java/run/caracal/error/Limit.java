package run.caracal.error;

import java.io.Serializable;
import java.time.Duration;
import org.jspecify.annotations.Nullable;

/**
 * A limit that was met. {@link ServiceException#limit()} tells it of an answer of the platform, {@link
 * CapacityException#limit()} of a limit of the client's own configuration.
 *
 * @param kind which limit it is
 * @param number how much it allows: the client's own setting, or what the platform allows unless its operator has chosen
 *     another number; {@code null} when that is not known
 * @param passes whether the same call may succeed later without any change by the caller
 * @param passesAfter how long that takes at the most; {@code null} when the limit does not pass, and when it depends on other
 *     work: places are free again when sessions end
 */
public record Limit(
        Kind kind,
        @Nullable Integer number,
        boolean passes,
        @Nullable Duration passesAfter) implements Serializable {
    private static final long serialVersionUID = 1L;

    private static final Duration MINUTE = Duration.ofMinutes(1);

    /** What a limit counts over. */
    public enum Scope {
        /** All of a zone. */
        ZONE,
        /** One application. */
        APPLICATION,
        /** One application's use of one resource. */
        RESOURCE,
        /** What is below one session. */
        SESSION,
        /** Everything that comes from one network address. */
        ADDRESS,
        /** One client of this SDK. */
        CLIENT,
        /** Not known. */
        UNKNOWN
    }

    /** Which limit it is. */
    public enum Kind {
        /** The open sessions of a zone. */
        ZONE_SESSIONS(Scope.ZONE),
        /** The open sessions of an application. */
        APPLICATION_SESSIONS(Scope.APPLICATION),
        /** The open children of a session. */
        SESSION_CHILDREN(Scope.SESSION),
        /** How deep sessions nest. */
        SESSION_DEPTH(Scope.SESSION),
        /** The idempotency keys that are remembered for an application. */
        IDEMPOTENCY_KEYS(Scope.APPLICATION),
        /** The calls to the Coordinator in a minute. */
        COORDINATOR_CALLS(Scope.ADDRESS),
        /** The mandates for a resource in a minute; each is counted when it is minted, and again when it is used. */
        MINTS(Scope.RESOURCE),
        /** The wrong client secrets in a minute. */
        FAILED_SECRETS(Scope.APPLICATION),
        /** The open sessions of a client: {@code maxOpenSessions}. */
        CLIENT_SESSIONS(Scope.CLIENT),
        /** The mandates of a client for a resource in a minute: {@code maxMintsPerMinute}. */
        CLIENT_MINTS(Scope.CLIENT),
        /** Another one, for instance that of a proxy or of an upstream. */
        OTHER(Scope.UNKNOWN);

        private final Scope scope;

        Kind(Scope scope) {
            this.scope = scope;
        }

        /** {@return what the limit counts over} */
        public Scope scope() {
            return scope;
        }
    }

    /** The limit behind a refusal of the Coordinator, or {@code null}. */
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
     * The limit behind a refusal of the STS, or of the Gateway which asks it, or {@code null}. Above the limit of mandates the
     * STS leaves the resource out, so that its policy is left with nothing to allow, and says no more than that.
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

    /** The limit behind an answer of which nothing but the status is known, or {@code null}. */
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
