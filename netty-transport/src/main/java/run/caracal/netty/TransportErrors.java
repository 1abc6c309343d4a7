package run.caracal.netty;

import io.netty.channel.ConnectTimeoutException;
import io.netty.handler.codec.DecoderException;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.codec.http.TooLongHttpLineException;
import io.netty.handler.proxy.ProxyConnectException;
import io.netty.handler.timeout.TimeoutException;
import java.net.ConnectException;
import java.net.NoRouteToHostException;
import java.net.SocketException;
import java.net.URI;
import java.net.UnknownHostException;
import java.nio.channels.UnresolvedAddressException;
import javax.net.ssl.SSLException;
import javax.net.ssl.SSLHandshakeException;
import reactor.core.Exceptions;
import reactor.netty.internal.shaded.reactor.pool.PoolAcquirePendingLimitException;
import reactor.netty.internal.shaded.reactor.pool.PoolAcquireTimeoutException;
import run.caracal.error.TransportException;
import run.caracal.error.TransportException.Kind;
import run.caracal.http.HttpRequest;

/** Maps the errors of Reactor Netty to those of the SDK. Messages contain no headers, body or query. */
final class TransportErrors {
    private TransportErrors() {}

    static TransportException tooLarge(HttpRequest request) {
        return error(
                Kind.RESPONSE_TOO_LARGE,
                request,
                "the answer is larger than " + request.maxResponseBytes()
                        + " bytes and was not read further; check that the address is that of a Caracal service",
                null);
    }

    static TransportException timeout(HttpRequest request, boolean sent) {
        return sent
                ? error(
                        Kind.TIMEOUT,
                        request,
                        "no complete answer within " + request.timeout().toMillis()
                                + " ms; the service may have acted on the request. Check the load and the health of the"
                                + " service",
                        null)
                : error(
                        Kind.CONNECT,
                        request,
                        "nothing was sent within " + request.timeout().toMillis()
                                + " ms, because no connection was ready in that time; check name resolution, the proxy,"
                                + " the TLS handshake and NettyHttpTransport.Builder.maxConnections(...)",
                        null);
    }

    /** For a request that was sent before the transport was closed. */
    static TransportException closed(HttpRequest request, Throwable error) {
        return error(
                Kind.IO,
                request,
                "the HTTP transport was closed before the answer was complete; the service may have acted on the request",
                error instanceof java.util.concurrent.TimeoutException ? null : error);
    }

    /** Maps an error of Reactor Netty; {@code sent} if the request had a connection. */
    static Throwable map(HttpRequest request, Throwable thrown, boolean sent, Limits limits) {
        Throwable error = Exceptions.unwrap(thrown);
        if (error instanceof DecoderException && error.getCause() instanceof SSLException tls) {
            error = tls;
        }
        if (error instanceof PoolAcquirePendingLimitException) {
            return error(
                    Kind.OVERLOADED,
                    request,
                    "all " + limits.maxConnections() + " connections are in use and " + limits.maxPending()
                            + " requests wait for one; slow down, or raise NettyHttpTransport.Builder.maxPending(...)",
                    error);
        }
        if (error instanceof PoolAcquireTimeoutException) {
            return error(
                    Kind.OVERLOADED,
                    request,
                    "none of the " + limits.maxConnections() + " connections became free within "
                            + limits.acquireTimeout().toMillis()
                            + " ms; slow down, or raise NettyHttpTransport.Builder.maxConnections(...) or"
                            + " acquireTimeout(...)",
                    error);
        }
        if (error instanceof TooLongHttpHeaderException || error instanceof TooLongHttpLineException) {
            return error(
                    Kind.RESPONSE_TOO_LARGE,
                    request,
                    "the headers of the answer are larger than the client takes; check that the address is that of a Caracal"
                            + " service and what stands before it, or raise the limit with httpResponseDecoder(...) in"
                            + " NettyHttpTransport.Builder.customize(...)",
                    error);
        }
        if (error instanceof TimeoutException) {
            return error(
                    sent ? Kind.TIMEOUT : Kind.CONNECT,
                    request,
                    "a timeout that was set on the HttpClient by the customizer has passed",
                    error);
        }
        if (error instanceof UnknownHostException || error instanceof UnresolvedAddressException) {
            return error(
                    Kind.CONNECT,
                    request,
                    "the host name cannot be resolved; check the configured URL, and in a network with its own DNS rules"
                            + " set a resolver with NettyHttpTransport.Builder.customize(...)",
                    error);
        }
        if (isProxyRefusal(error)) {
            return error(Kind.CONNECT, request, "the proxy did not open a connection; check its settings", error);
        }
        if (error instanceof ConnectTimeoutException) {
            return error(
                    Kind.CONNECT,
                    request,
                    "the connection was not established in time; check the configured URL and the firewall",
                    error);
        }
        if (error instanceof ConnectException || error instanceof NoRouteToHostException) {
            return error(
                    Kind.CONNECT,
                    request,
                    "the connection was refused; check that the service is up and the configured URL is right",
                    error);
        }
        if (error instanceof SSLHandshakeException) {
            return error(
                    Kind.CONNECT,
                    request,
                    "the TLS handshake failed; check the certificate of the service, the trusted authorities and the"
                            + " client certificate (NettyHttpTransport.Builder.sslContext(...))",
                    error);
        }
        if (error instanceof SSLException || error instanceof SocketException || sent) {
            return error(
                    sent ? Kind.IO : Kind.CONNECT,
                    request,
                    "the connection broke before the answer was complete"
                            + (sent ? "; the service may have acted on the request" : ""),
                    error);
        }
        return error(
                Kind.CONNECT,
                request,
                "no connection was made; the cause tells why, and what was set with"
                        + " NettyHttpTransport.Builder.customize(...) or sslContext(...) may play a part",
                error);
    }

    /** Under TLS a proxy error is the cause of a handshake error. */
    private static boolean isProxyRefusal(Throwable error) {
        return error instanceof ProxyConnectException
                || (error instanceof SSLException && error.getCause() instanceof ProxyConnectException);
    }

    private static TransportException error(
            Kind kind, HttpRequest request, String what, @org.jspecify.annotations.Nullable Throwable cause) {
        return new TransportException(kind, describe(request) + ": " + what + ".", cause);
    }

    /** Method, origin and path: no user info, no query. */
    static String describe(HttpRequest request) {
        URI uri = request.uri();
        String authority = uri.getRawAuthority();
        String host = authority.substring(authority.lastIndexOf('@') + 1);
        return request.method() + " " + uri.getScheme() + "://" + host + uri.getRawPath();
    }

    /** The limits of the pool, for messages. */
    record Limits(int maxConnections, int maxPending, java.time.Duration acquireTimeout) {}
}
