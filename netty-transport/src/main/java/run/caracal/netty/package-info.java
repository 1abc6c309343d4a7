/**
 * The SDK on Reactor Netty: the transport that the SDK itself uses, the decorator that gives the requests of an
 * application's {@link reactor.netty.http.client.HttpClient} their identity, and the boundary of its servers. It reaches the
 * core by its public types.
 */
@NullMarked
package run.caracal.netty;

import org.jspecify.annotations.NullMarked;
