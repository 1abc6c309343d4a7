package run.caracal;

import java.time.Duration;
import java.util.List;
import run.caracal.internal.mandate.MintedMandate;

/**
 * A one-shot mandate: the bearer of exactly one call through the Gateway, for one resource, some scopes, one session and
 * its delegation. The Gateway takes it once, and only while at least 35 seconds are left of it, so ask
 * for a new one for each call and for each retry. The SDK keeps none.
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

    /**
     * {@return what is left of its life, counted on a monotonic clock from the instant it was asked for: the wall clock
     * of this machine plays no part; the time left, zero when it is over}
     */
    public Duration remaining() {
        return minted.deadline().remaining();
    }

    /**
     * {@return whether the Gateway would still take it, were it used now for the first time; {@code false} when less
     * than {@link MandateOptions#MIN_TTL} is left}
     */
    public boolean isUsable() {
        return remaining().compareTo(MandateOptions.MIN_TTL) >= 0;
    }

    /** {@return the identifier of the resource it is for} */
    public String resource() {
        return minted.resource();
    }

    /** {@return what it allows; an immutable list, never empty} */
    public List<String> scopes() {
        return minted.scopes();
    }

    /**
     * {@return the id of the session that acts: the bound one, or the child of it that was opened to hold the
     * authority}
     */
    public String agentSessionId() {
        return minted.agentSessionId();
    }

    /** {@return the id of the delegation under which the session acts} */
    public String delegationEdgeId() {
        return minted.delegationEdgeId();
    }

    /**
     * {@return the id under which it was asked for, a new one for each mandate} Send it as {@code X-Request-Id} with
     * the call, so that one id joins mint, use and call in the audit log.
     */
    public String requestId() {
        return minted.requestId();
    }

    /** Never shows the bearer. */
    @Override
    public String toString() {
        return minted.toString();
    }
}
