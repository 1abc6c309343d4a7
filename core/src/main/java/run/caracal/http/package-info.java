/** How the SDK speaks HTTP: the transport it uses itself, and the policy that gives outgoing requests an identity. */
@NullMarked
package run.caracal.http;

import org.jspecify.annotations.NullMarked;
