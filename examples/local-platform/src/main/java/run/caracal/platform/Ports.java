package run.caracal.platform;

/**
 * The ports that the servers of the local platform listen on, all on 127.0.0.1; 0 takes a free one.
 *
 * @param sts the port of the STS
 * @param coordinator the port of the Coordinator
 * @param gateway the port of the Gateway
 * @param upstream the port of the protected API
 * @param audit the port of the audit log
 */
public record Ports(int sts, int coordinator, int gateway, int upstream, int audit) {

    /** {@return a free port for every server} */
    public static Ports free() {
        return new Ports(0, 0, 0, 0, 0);
    }

    /** {@return the ports a client expects when nothing is configured: STS 8080, Coordinator 4000, Gateway 8081} */
    public static Ports standard() {
        return new Ports(8080, 4000, 8081, 0, 0);
    }

    int of(Service service) {
        return switch (service) {
            case STS -> sts;
            case COORDINATOR -> coordinator;
            case GATEWAY -> gateway;
            case UPSTREAM -> upstream;
            case AUDIT -> audit;
        };
    }
}
