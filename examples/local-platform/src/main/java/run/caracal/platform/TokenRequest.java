package run.caracal.platform;

import java.util.Arrays;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The request of an authenticated application to the STS. */
record TokenRequest(
        String applicationId,
        List<String> resources,
        String scope,
        long ttlSeconds,
        @Nullable String authorityRecordId,
        @Nullable String agentSessionId,
        @Nullable String delegationEdgeId,
        @Nullable String subjectToken,
        @Nullable String approvalId,
        String requestId) {

    static final String LIFECYCLE = "agent:lifecycle";

    List<String> scopes() {
        return Arrays.stream(scope.strip().split("\\s+"))
                .filter(name -> !name.isEmpty())
                .toList();
    }

    /** Whether this asks for the application's own token, with which it opens sessions. */
    boolean isBootstrap() {
        return Set.copyOf(scopes()).equals(Set.of(LIFECYCLE))
                && agentSessionId == null
                && delegationEdgeId == null
                && subjectToken == null;
    }

    @Override
    public String toString() {
        return applicationId + " " + resources + " " + scope;
    }
}
