package run.caracal.verify;

import reactor.core.publisher.Mono;

/**
 * Proves the bearer of an incoming request. {@link JwksMandateVerifier} is the SDK's own; a lambda can stand in its place,
 * for tokens that are proven otherwise. Used by many threads at once.
 */
@FunctionalInterface
public interface MandateVerifier {

    /**
     * Proves a bearer. Lazy: each subscription proves it anew; cancelling ends the waiting.
     *
     * @param bearer the token, without the scheme; whatever a caller may send, of any length
     * @param requirements what the mandate has to allow
     * @return what is proven; else an error, never empty: a {@link run.caracal.error.InboundException} for a denial, and
     *     also, as {@link run.caracal.error.InboundException.Reason#VERIFIER_UNAVAILABLE}, when nothing could be proven.
     *     May arrive on the subscriber's thread or another one that must not be blocked
     */
    Mono<VerifiedMandate> verify(String bearer, MandateRequirements requirements);
}
