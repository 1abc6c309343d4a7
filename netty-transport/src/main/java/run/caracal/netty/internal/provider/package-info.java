/** Where {@link java.util.ServiceLoader} finds the transport; no part of the API. */
@NullMarked
package run.caracal.netty.internal.provider;

import org.jspecify.annotations.NullMarked;
