/**
 * The SDK's view of HTTP: its own transport, and the policies that attach identity to outgoing requests and verify
 * incoming ones. Clients and servers implement or call these types; no HTTP library is known here.
 */
@NullMarked
package run.caracal.http;

import org.jspecify.annotations.NullMarked;
