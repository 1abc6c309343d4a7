package run.caracal.error;

import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The Coordinator refused a call on a session or a delegation, or could not carry it out. */
public final class CoordinatorException extends ServiceException {
    private static final long serialVersionUID = 1L;

    /** The answers to a conflict after which the session does not come back. */
    private static final Set<String> TERMINAL = Set.of(
            "already_terminated",
            "session_lease_fenced",
            "session_not_found_or_not_active",
            "session_not_live",
            "session_subject_inactive");

    private static final String OUTCOME_UNKNOWN =
            "An earlier attempt got no answer, so the outcome is unknown: what it may have made ends with its time to live.";

    private final String method;
    private final String path;
    private final boolean outcomeUnknown;

    /**
     * Creates the exception.
     *
     * @param method the HTTP method of the call
     * @param path the path of the call, percent-encoded as it was sent
     * @param refusal what the Coordinator answered
     * @param hint what the caller can do about it, or {@code null}
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

    /** {@return the call, for instance {@code POST /zones/prod/agents}; method and path} */
    public String operation() {
        return method + " " + path;
    }

    /**
     * {@return whether the session (or what else the path names) has ended or never was, so that there is nothing left
     * to close; {@code true} for 404, and for 409 with a code that is terminal}
     */
    public boolean isSessionGone() {
        return httpStatus() == 404 || (httpStatus() == 409 && TERMINAL.contains(code()));
    }

    /**
     * {@return whether the call may have been carried out although this is an error: an attempt got no answer, and the
     * next one met the trace of the first; {@code true} when nobody can tell}
     */
    public boolean isOutcomeUnknown() {
        return outcomeUnknown;
    }

    /**
     * {@return the same refusal, met after an attempt that got no answer; a copy that says so, with this exception as
     * its cause}
     */
    public CoordinatorException withOutcomeUnknown() {
        return new CoordinatorException(method, path, refusal(), OUTCOME_UNKNOWN, true, this);
    }

    /**
     * Whether the same call may succeed later without any change by the caller: after outages and timeouts, and when it met a
     * {@link #limit()} that passes, which all do but that of the depth. Those of open sessions pass when sessions end.
     */
    @Override
    public boolean isRetryable() {
        return isPassingLimit() || isTransient(httpStatus());
    }
}
