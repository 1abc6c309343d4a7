package run.caracal;

import java.time.Duration;
import run.caracal.internal.mandate.FederatedUser;

/**
 * A federated user of another identity provider: the user's authority record and session mandate; see
 * {@link Caracal#federateSubject(String)}.
 */
public final class FederatedSubject {
    private final FederatedUser user;

    FederatedSubject(FederatedUser user) {
        this.user = user;
    }

    /**
     * {@return the user's own session mandate, for actions of the user at the platform such as deciding an approval} A
     * secret: never log it. It neither opens sessions nor makes calls through the Gateway.
     */
    public String value() {
        return user.token();
    }

    /**
     * {@return the id of the user's authority record} Sessions act for this user when they are opened with
     * {@link SpawnOptions.Builder#subject(FederatedSubject)}, or with
     * {@link SpawnOptions.Builder#subjectAuthorityRecordId(String)} if only the id is at hand. Read from the STS's
     * token without verifying it.
     */
    public String authorityRecordId() {
        return user.authorityRecordId();
    }

    /**
     * {@return the remaining life of the mandate on a monotonic clock, from the time of the request; zero once expired}
     */
    public Duration remaining() {
        return user.deadline().remaining();
    }

    /** Omits the mandate. */
    @Override
    public String toString() {
        return user.toString();
    }
}
