package run.caracal.internal.mandate;

/** A federated user of another identity provider. */
public record FederatedUser(String token, String authorityRecordId, Deadline deadline) {
    /** Omits the mandate. */
    @Override
    public String toString() {
        return "FederatedSubject[***, authorityRecordId=" + authorityRecordId + "]";
    }
}
