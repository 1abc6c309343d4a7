package run.caracal.internal.mandate;

/** A user of another identity provider whom the platform knows now. */
public record FederatedUser(String token, String authorityRecordId, Deadline deadline) {
    /** Never shows the mandate. */
    @Override
    public String toString() {
        return "FederatedSubject[***, authorityRecordId=" + authorityRecordId + "]";
    }
}
