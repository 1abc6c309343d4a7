/**
 * The headers that travel beside a request: trace context, and the Caracal members of the baggage. Reading never fails, and
 * knows limits; nothing here knows a context or a client.
 */
@NullMarked
package run.caracal.internal.propagation;

import org.jspecify.annotations.NullMarked;
