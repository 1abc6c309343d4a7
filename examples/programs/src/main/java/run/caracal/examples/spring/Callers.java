package run.caracal.examples.spring;

import java.util.stream.Collectors;
import run.caracal.CaracalContext;
import run.caracal.verify.VerifiedMandate;

/** Says who called. */
final class Callers {
    private Callers() {}

    /** The applications over which the authority came, the caller last, and the trace. */
    static String describe(CaracalContext caller) {
        String chain = caller.verifiedMandate().orElseThrow().delegationChain().stream()
                .map(VerifiedMandate.Hop::applicationId)
                .collect(Collectors.joining(" > "));
        return chain + " in session " + caller.agentSessionId() + ", trace " + caller.traceId();
    }
}
