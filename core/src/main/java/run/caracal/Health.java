package run.caracal;

import java.util.Locale;

/** The health of a service agent, which its renewals report to the Coordinator. */
public enum Health {
    /** Not ready yet. */
    STARTING,
    /** Working. */
    HEALTHY,
    /** Working with restrictions. */
    DEGRADED,
    /** Not working. */
    UNHEALTHY;

    String wire() {
        return name().toLowerCase(Locale.ROOT);
    }
}
