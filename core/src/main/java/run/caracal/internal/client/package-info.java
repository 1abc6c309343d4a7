/** The parts of a client, put together. */
@NullMarked
package run.caracal.internal.client;

import org.jspecify.annotations.NullMarked;
