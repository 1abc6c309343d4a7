package run.caracal;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.TimeUnit;
import reactor.core.scheduler.Scheduler;

/**
 * A one-shot mandate: the bearer of exactly one call through the Gateway, for one resource, some scopes, one session and
 * its delegation. The Gateway takes it once, and only while at least 35 seconds are left of it, so ask
 * for a new one for each call and for each retry. The SDK keeps none.
 */
public final class Mandate {
    private final String value;
    private final String resource;
    private final List<String> scopes;
    private final String agentSessionId;
    private final String delegationEdgeId;
    private final String requestId;
    private final long ends;
    private final Scheduler clock;

    Mandate(
            String value,
            String resource,
            List<String> scopes,
            String agentSessionId,
            String delegationEdgeId,
            String requestId,
            long ends,
            Scheduler clock) {
        this.value = value;
        this.resource = resource;
        this.scopes = List.copyOf(scopes);
        this.agentSessionId = agentSessionId;
        this.delegationEdgeId = delegationEdgeId;
        this.requestId = requestId;
        this.ends = ends;
        this.clock = clock;
    }

    /**
     * The bearer. A secret: never log it, and send it to the Gateway only.
     *
     * @return the token itself
     */
    public String value() {
        return value;
    }

    /**
     * What is left of its life, counted on a monotonic clock from the instant it was asked for: the wall clock of this
     * machine plays no part.
     *
     * @return the time left, zero when it is over
     */
    public Duration remaining() {
        return Duration.ofNanos(Math.max(0, ends - clock.now(TimeUnit.NANOSECONDS)));
    }

    /**
     * Whether the Gateway would still take it, were it used now for the first time.
     *
     * @return {@code false} when less than {@link MandateOptions#MIN_TTL} is left
     */
    public boolean isUsable() {
        return remaining().compareTo(MandateOptions.MIN_TTL) >= 0;
    }

    /**
     * The resource it is for.
     *
     * @return its identifier
     */
    public String resource() {
        return resource;
    }

    /**
     * What it allows.
     *
     * @return an immutable list, never empty
     */
    public List<String> scopes() {
        return scopes;
    }

    /**
     * The session that acts: the bound one, or the child of it that was opened to hold the authority.
     *
     * @return its id
     */
    public String agentSessionId() {
        return agentSessionId;
    }

    /**
     * The delegation under which the session acts.
     *
     * @return its id
     */
    public String delegationEdgeId() {
        return delegationEdgeId;
    }

    /**
     * The id under which it was asked for, a new one for each mandate. Send it as {@code X-Request-Id} with the call, so that
     * one id joins mint, use and call in the audit log.
     *
     * @return the id
     */
    public String requestId() {
        return requestId;
    }

    /** Never shows the bearer. */
    @Override
    public String toString() {
        return "Mandate[***, resource=" + resource + ", scopes=" + scopes + ", agentSessionId=" + agentSessionId
                + ", delegationEdgeId=" + delegationEdgeId + ", requestId=" + requestId + "]";
    }
}
