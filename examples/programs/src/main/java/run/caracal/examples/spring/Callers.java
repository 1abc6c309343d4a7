package run.caracal.examples.spring;

import java.util.stream.Collectors;
import run.caracal.CaracalContext;
import run.caracal.verify.VerifiedMandate;

/** Describes the verified caller. */
final class Callers {
    private Callers() {}

    /** The applications in the chain of delegations, the caller last, and the trace. */
    static String describe(CaracalContext caller) {
        String chain = caller.verifiedMandate().orElseThrow().delegationChain().stream()
                .map(VerifiedMandate.Hop::applicationId)
                .collect(Collectors.joining(" > "));
        return chain + " in session " + caller.agentSessionId() + ", trace " + caller.traceId();
    }
}
