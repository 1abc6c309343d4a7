/**
 * Decides for whom an incoming request acts. It may know contexts, headers and the verifier of the boundary; it calls no service
 * and knows no server.
 */
@NullMarked
package run.caracal.internal.inbound;

import org.jspecify.annotations.NullMarked;
