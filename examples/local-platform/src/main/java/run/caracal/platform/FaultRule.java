package run.caracal.platform;

/** Decides for each request to a server whether something goes wrong with it. */
@FunctionalInterface
public interface FaultRule {

    /**
     * {@return what goes wrong with the request} Called once for each request, on the server's event loop.
     *
     * @param request the request, its body included where the server reads bodies whole (all but the Gateway)
     */
    Fault decide(ReceivedRequest request);

    /** {@return the rule under which nothing goes wrong} */
    static FaultRule none() {
        return request -> Fault.none();
    }
}
