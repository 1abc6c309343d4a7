package run.caracal.internal.mandate;

import java.util.List;
import java.util.Objects;
import run.caracal.internal.propagation.Envelope;

/**
 * A one-shot mandate.
 *
 * @param value the bearer
 * @param resource the resource it is for
 * @param scopes what it allows
 * @param acting who acts with it: the session and the delegation that its claims name
 * @param requestId the id under which it was asked for
 * @param deadline when it ends
 */
public record MintedMandate(
        String value, String resource, List<String> scopes, Envelope acting, String requestId, Deadline deadline) {
    /** The session that acts. */
    public String agentSessionId() {
        return Objects.requireNonNull(acting.agentSessionId());
    }

    /** The delegation under which it acts. */
    public String delegationEdgeId() {
        return Objects.requireNonNull(acting.delegationEdgeId());
    }

    /** Never shows the bearer. */
    @Override
    public String toString() {
        return "Mandate[***, resource=" + resource + ", scopes=" + scopes + ", agentSessionId=" + agentSessionId()
                + ", delegationEdgeId=" + delegationEdgeId() + ", requestId=" + requestId + "]";
    }
}
