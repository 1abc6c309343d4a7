/** Headers that travel beside a request: trace context and the Caracal members of the baggage. */
@NullMarked
package run.caracal.internal.propagation;

import org.jspecify.annotations.NullMarked;
