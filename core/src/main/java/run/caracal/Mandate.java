package run.caracal;

import java.time.Duration;
import java.util.List;
import run.caracal.internal.mandate.MintedMandate;

/**
 * A one-shot mandate: the bearer of a single call through the Gateway, for one resource, some scopes, one session and
 * its delegation. The Gateway accepts it once, and only while at least 35 seconds of its life remain, so mint a new one
 * for each call and each retry. Mandates are never cached.
 */
public final class Mandate {
    private final MintedMandate minted;

    Mandate(MintedMandate minted) {
        this.minted = minted;
    }

    /** {@return the bearer} A secret: never log it, and send it to the Gateway only. */
    public String value() {
        return minted.value();
    }

    /** {@return the remaining life on a monotonic clock, from the time of the request; zero once expired} */
    public Duration remaining() {
        return minted.deadline().remaining();
    }

    /** {@return whether at least {@link MandateOptions#MIN_TTL} remains, which the Gateway requires} */
    public boolean isUsable() {
        return remaining().compareTo(MandateOptions.MIN_TTL) >= 0;
    }

    /** {@return the resource id} */
    public String resource() {
        return minted.resource();
    }

    /** {@return the scopes; an immutable list, never empty} */
    public List<String> scopes() {
        return minted.scopes();
    }

    /** {@return the id of the acting session: the bound one, or its child that holds the authority} */
    public String agentSessionId() {
        return minted.agentSessionId();
    }

    /** {@return the id of the delegation under which the session acts} */
    public String delegationEdgeId() {
        return minted.delegationEdgeId();
    }

    /**
     * {@return the id of the mint request, unique per mandate} Send it as {@code X-Request-Id} with the call, so that
     * one id finds mint, use and call in the audit log.
     */
    public String requestId() {
        return minted.requestId();
    }

    /** Omits the bearer. */
    @Override
    public String toString() {
        return minted.toString();
    }
}
