package run.caracal;

import java.util.Locale;

/** How a service agent is, as its renewals tell the Coordinator. */
public enum Health {
    /** Not ready yet. */
    STARTING,
    /** At work. */
    HEALTHY,
    /** At work, with limits. */
    DEGRADED,
    /** Not able to work. */
    UNHEALTHY;

    String wire() {
        return name().toLowerCase(Locale.ROOT);
    }
}
