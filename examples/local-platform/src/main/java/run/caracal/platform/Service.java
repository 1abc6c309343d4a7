package run.caracal.platform;

/** The servers of the local platform. */
public enum Service {
    /** The token service. */
    STS,
    /** The session service. */
    COORDINATOR,
    /** The proxy in front of the protected resources. */
    GATEWAY,
    /** The protected API itself. */
    UPSTREAM,
    /** The audit log's query service. */
    AUDIT
}
