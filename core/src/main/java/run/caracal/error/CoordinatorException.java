package run.caracal.error;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The Coordinator rejected a call on a session or a delegation, or could not process it. */
public final class CoordinatorException extends ServiceException {
    private static final long serialVersionUID = 1L;

    /** The codes of a conflict that mean that the session has ended. */
    private static final Set<String> TERMINAL = Set.of(
            "already_terminated",
            "session_lease_fenced",
            "session_not_found_or_not_active",
            "session_not_live",
            "session_subject_inactive");

    private static final String OUTCOME_UNKNOWN =
            "An earlier attempt got no answer, so the outcome is unknown: whatever it created ends with its TTL.";

    private final String method;
    private final String path;
    private final boolean outcomeUnknown;

    /**
     * Creates the exception.
     *
     * @param method the HTTP method of the call
     * @param path the path of the call, percent-encoded as it was sent
     * @param refusal the answer of the Coordinator
     * @param hint what the caller can do, or {@code null}
     */
    public CoordinatorException(String method, String path, Refusal refusal, @Nullable String hint) {
        this(method, path, refusal, hint, false, null);
    }

    private CoordinatorException(
            String method,
            String path,
            Refusal refusal,
            @Nullable String hint,
            boolean outcomeUnknown,
            @Nullable Throwable cause) {
        super(
                "The coordinator answered " + method + " " + path + " with ",
                refusal,
                hint,
                Limit.ofCoordinator(refusal),
                cause);
        this.method = method;
        this.path = path;
        this.outcomeUnknown = outcomeUnknown;
    }

    /** {@return method and path of the call, for instance {@code POST /zones/prod/agents}} */
    public String operation() {
        return method + " " + path;
    }

    /**
     * {@return whether the session (or another object of the path) has ended or never existed, so that there is nothing
     * left to close: 404, or 409 with a terminal code}
     */
    public boolean isSessionGone() {
        return httpStatus() == 404 || (httpStatus() == 409 && TERMINAL.contains(code()));
    }

    /**
     * {@return whether the call may have succeeded despite this error: an earlier attempt got no answer, and this
     * answer may be a consequence of it}
     */
    public boolean isOutcomeUnknown() {
        return outcomeUnknown;
    }

    /** {@return a copy for a call whose earlier attempt got no answer, with this exception as its cause} */
    public CoordinatorException withOutcomeUnknown() {
        return new CoordinatorException(method, path, refusal(), OUTCOME_UNKNOWN, true, this);
    }

    /**
     * {@return whether the same call may succeed later, unchanged: after outages and timeouts, and after a
     * {@link #limit()} that passes, which is any but the nesting depth; limits on open sessions pass when sessions end}
     */
    @Override
    public boolean isRetryable() {
        return isPassingLimit() || isTransient(httpStatus());
    }
}
