package run.caracal.internal;

/** The documented logger names, which are independent of the writing class. */
public final class LogNames {
    /** Sessions, delegations and outgoing requests. */
    public static final String CLIENT = "run.caracal.Caracal";

    /** Service agents and their leases. */
    public static final String SERVICE_AGENT = "run.caracal.ServiceAgent";

    private LogNames() {}
}
