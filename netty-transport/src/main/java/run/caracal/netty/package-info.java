/**
 * The SDK on Reactor Netty: its own transport, the decorator of an application's
 * {@link reactor.netty.http.client.HttpClient}, and the boundary of its servers. Uses the public types of the core
 * only.
 */
@NullMarked
package run.caracal.netty;

import org.jspecify.annotations.NullMarked;
