package run.caracal.internal.wire;

/** The credentials of the application at the STS. */
public record ClientCredentials(String zoneId, String applicationId, String clientSecret) {
    /** Never shows the secret. */
    @Override
    public String toString() {
        return "ClientCredentials[zoneId=" + zoneId + ", applicationId=" + applicationId + ", clientSecret=redacted]";
    }
}
