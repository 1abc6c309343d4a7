/**
 * The Caracal SDK on Reactor Netty: the transport the SDK itself uses, and the decorator that gives the requests of an
 * application's {@link reactor.netty.http.client.HttpClient} their identity.
 */
@NullMarked
package run.caracal.netty;

import org.jspecify.annotations.NullMarked;
