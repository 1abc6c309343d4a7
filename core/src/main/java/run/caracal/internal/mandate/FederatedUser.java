package run.caracal.internal.mandate;

/**
 * A user of another identity provider whom the platform knows now.
 *
 * @param token the user's own session mandate
 * @param authorityRecordId the user's authority record
 * @param deadline when the mandate ends
 */
public record FederatedUser(String token, String authorityRecordId, Deadline deadline) {
    /** Never shows the mandate. */
    @Override
    public String toString() {
        return "FederatedSubject[***, authorityRecordId=" + authorityRecordId + "]";
    }
}
