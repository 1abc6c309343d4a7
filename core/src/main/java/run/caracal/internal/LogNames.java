package run.caracal.internal;

/** The loggers that the documentation names, whatever class writes to them. */
public final class LogNames {
    /** Sessions, delegations and outgoing requests. */
    public static final String CLIENT = "run.caracal.Caracal";

    /** Service agents and their leases. */
    public static final String SERVICE_AGENT = "run.caracal.ServiceAgent";

    private LogNames() {}
}
