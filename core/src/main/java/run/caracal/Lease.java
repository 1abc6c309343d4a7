package run.caracal;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.wire.LeaseTerms;

/**
 * A lease as the Coordinator granted or renewed it.
 *
 * @param agentSessionId the service session
 * @param generation raised by each takeover; {@code null} on platforms without generations
 * @param deadline when the lease expires by the Coordinator's clock, for display only; {@code null} if the Coordinator
 *     did not say
 * @param length how long the lease lasts from the time the renewal was sent; {@code null} if the Coordinator did not
 *     say
 */
public record Lease(
        String agentSessionId,
        @Nullable Long generation,
        @Nullable Instant deadline,
        @Nullable Duration length) {
    static Lease of(String agentSessionId, LeaseTerms terms) {
        return new Lease(agentSessionId, terms.generation(), terms.deadline(), terms.length());
    }
}
