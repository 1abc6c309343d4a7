/**
 * Verifies the mandates of incoming requests: against the zone's keys, the requirements of a boundary, and revocations.
 *
 * <p>{@link run.caracal.verify.JwksMandateVerifier} needs the optional artifact {@code com.nimbusds:nimbus-jose-jwt};
 * everything else here works without it.
 */
@NullMarked
package run.caracal.verify;

import org.jspecify.annotations.NullMarked;
