package run.caracal.internal.mandate;

import java.util.List;
import java.util.Objects;
import run.caracal.internal.propagation.Envelope;

/**
 * A one-shot mandate.
 *
 * @param acting the session and the delegation in its claims
 */
public record MintedMandate(
        String value, String resource, List<String> scopes, Envelope acting, String requestId, Deadline deadline) {
    public String agentSessionId() {
        return Objects.requireNonNull(acting.agentSessionId());
    }

    public String delegationEdgeId() {
        return Objects.requireNonNull(acting.delegationEdgeId());
    }

    /** Omits the bearer. */
    @Override
    public String toString() {
        return "Mandate[***, resource=" + resource + ", scopes=" + scopes + ", agentSessionId=" + agentSessionId()
                + ", delegationEdgeId=" + delegationEdgeId() + ", requestId=" + requestId + "]";
    }
}
