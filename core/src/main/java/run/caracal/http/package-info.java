/**
 * HTTP as the SDK sees it: the transport that it uses itself, and the policy that gives outgoing requests an identity. Clients
 * implement or call these types; no HTTP library is known here.
 */
@NullMarked
package run.caracal.http;

import org.jspecify.annotations.NullMarked;
