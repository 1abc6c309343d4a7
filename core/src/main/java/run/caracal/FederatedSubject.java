package run.caracal;

import java.time.Duration;
import java.util.concurrent.TimeUnit;
import reactor.core.scheduler.Scheduler;

/**
 * A user of another identity provider whom the platform knows now: the user's authority record, to which work is anchored,
 * and the user's own session mandate; see {@link Caracal#federateSubject(String)}.
 */
public final class FederatedSubject {
    private final String value;
    private final String authorityRecordId;
    private final long ends;
    private final Scheduler clock;

    FederatedSubject(String value, String authorityRecordId, long ends, Scheduler clock) {
        this.value = value;
        this.authorityRecordId = authorityRecordId;
        this.ends = ends;
        this.clock = clock;
    }

    /**
     * The user's own session mandate, for what the user does at the platform: deciding an approval, for instance. A secret:
     * never log it. It opens no sessions and makes no calls through the Gateway.
     *
     * @return the token itself
     */
    public String value() {
        return value;
    }

    /**
     * The user's authority record. Give it to {@link SpawnOptions.Builder#subjectAuthorityRecordId(String)}, so that the
     * session acts for this user. Read from the token without verifying it, as the STS sent it.
     *
     * @return its id
     */
    public String authorityRecordId() {
        return authorityRecordId;
    }

    /**
     * What is left of the mandate's life, counted on a monotonic clock from the instant it was asked for.
     *
     * @return the time left, zero when it is over
     */
    public Duration remaining() {
        return Duration.ofNanos(Math.max(0, ends - clock.now(TimeUnit.NANOSECONDS)));
    }

    /** Never shows the mandate. */
    @Override
    public String toString() {
        return "FederatedSubject[***, authorityRecordId=" + authorityRecordId + "]";
    }
}
