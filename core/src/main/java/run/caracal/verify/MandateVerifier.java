package run.caracal.verify;

import reactor.core.publisher.Mono;

/**
 * Verifies the bearer of an incoming request. {@link JwksMandateVerifier} is the SDK's implementation; it may also be a
 * lambda. Must be thread-safe.
 */
@FunctionalInterface
public interface MandateVerifier {

    /**
     * Verifies a bearer. Lazy: each subscription verifies again; cancelling stops it.
     *
     * @param bearer the token, without the scheme; untrusted, of any length
     * @return the verified mandate, never empty; {@link run.caracal.error.InboundException} for a denial, or with
     *     {@link run.caracal.error.InboundException.Reason#VERIFIER_UNAVAILABLE} if the token could not be verified.
     *     May be signalled on the subscriber's thread or on another one that must not be blocked
     */
    Mono<VerifiedMandate> verify(String bearer, MandateRequirements requirements);
}
