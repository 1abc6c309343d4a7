/**
 * Proves the mandates of incoming requests: against the zone's keys, the requirements of a boundary, and revocations.
 */
@NullMarked
package run.caracal.verify;

import org.jspecify.annotations.NullMarked;
