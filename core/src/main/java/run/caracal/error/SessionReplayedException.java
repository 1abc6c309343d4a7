package run.caracal.error;

/**
 * The caller's own idempotency key opened this session earlier: somebody owns it already, and a second owner would end it
 * under the first. Use another key, or adopt the session explicitly.
 */
public final class SessionReplayedException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private final String agentSessionId;

    /**
     * Creates the exception.
     *
     * @param agentSessionId the session that the key opened earlier
     */
    public SessionReplayedException(String agentSessionId) {
        super(
                "session_replayed",
                "The idempotency key opened the agent session " + agentSessionId
                        + " earlier, and it is not ours to end. Use another key, or take the session over with adopt(true)",
                null);
        this.agentSessionId = agentSessionId;
    }

    /** {@return the id of the session that the key opened earlier; it was left as it is} */
    public String agentSessionId() {
        return agentSessionId;
    }
}
