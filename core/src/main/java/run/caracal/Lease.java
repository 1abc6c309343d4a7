package run.caracal;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.wire.LeaseTerms;

/**
 * A lease as the Coordinator granted or renewed it.
 *
 * @param agentSessionId the service session
 * @param generation the generation, which a takeover raises; {@code null} on platforms without generations
 * @param deadline when it ends by the Coordinator's clock, for display only; {@code null} when the Coordinator did not say
 * @param length how long it lasts, counted from the instant the renewal was sent; {@code null} when the Coordinator did
 *     not say
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
