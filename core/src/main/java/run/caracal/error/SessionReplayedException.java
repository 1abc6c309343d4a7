package run.caracal.error;

/**
 * The idempotency key opened this session before, so another owner may exist, and two would terminate the session under
 * each other. Use another key, or take over the session with {@code adopt(true)}.
 */
public final class SessionReplayedException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private final String agentSessionId;

    /** Creates the exception. */
    public SessionReplayedException(String agentSessionId) {
        super(
                "session_replayed",
                "The idempotency key opened the agent session " + agentSessionId
                        + " earlier, so another owner may still use it. Use another key, or take the session over with adopt(true)",
                null);
        this.agentSessionId = agentSessionId;
    }

    /** {@return the id of the session that the key opened before; it was not changed} */
    public String agentSessionId() {
        return agentSessionId;
    }
}
