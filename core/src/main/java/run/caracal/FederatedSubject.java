package run.caracal;

import java.time.Duration;
import run.caracal.internal.mandate.FederatedUser;

/**
 * A user of another identity provider whom the platform knows now: the user's authority record, to which work is anchored,
 * and the user's own session mandate; see {@link Caracal#federateSubject(String)}.
 */
public final class FederatedSubject {
    private final FederatedUser user;

    FederatedSubject(FederatedUser user) {
        this.user = user;
    }

    /**
     * {@return the user's own session mandate, for what the user does at the platform: deciding an approval, for
     * instance} A secret: never log it. It opens no sessions and makes no calls through the Gateway.
     */
    public String value() {
        return user.token();
    }

    /**
     * {@return the id of the user's authority record} A session acts for this user when it is opened with {@link
     * SpawnOptions.Builder#subject(FederatedSubject)}, or, where only the id is at hand, with {@link
     * SpawnOptions.Builder#subjectAuthorityRecordId(String)}. Read from the token without verifying it, as the STS sent
     * it.
     */
    public String authorityRecordId() {
        return user.authorityRecordId();
    }

    /**
     * {@return what is left of the mandate's life, counted on a monotonic clock from the instant it was asked for; the
     * time left, zero when it is over}
     */
    public Duration remaining() {
        return user.deadline().remaining();
    }

    /** Never shows the mandate. */
    @Override
    public String toString() {
        return user.toString();
    }
}
