package run.caracal.netty;

import io.netty.buffer.ByteBufAllocator;
import io.netty.handler.ssl.ApplicationProtocolNegotiator;
import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslHandler;
import java.util.List;
import java.util.function.Supplier;
import javax.net.ssl.SSLEngine;
import javax.net.ssl.SSLSessionContext;

/** Gets the current context at each handshake, so that the next connection uses a rotated certificate. */
final class SuppliedSslContext extends SslContext {
    private final Supplier<? extends SslContext> supplier;

    SuppliedSslContext(Supplier<? extends SslContext> supplier) {
        this.supplier = supplier;
    }

    private SslContext current() {
        SslContext context = supplier.get();
        if (context == null || !context.isClient()) {
            throw new IllegalStateException("The supplier given to NettyHttpTransport.Builder.sslContext(...) returned "
                    + (context == null ? "null" : "a context for servers") + "; it must return a context for clients.");
        }
        return context;
    }

    @Override
    public boolean isClient() {
        return true;
    }

    @Override
    public List<String> cipherSuites() {
        return current().cipherSuites();
    }

    @Override
    @SuppressWarnings("deprecation") // the only way to implement it
    public ApplicationProtocolNegotiator applicationProtocolNegotiator() {
        return current().applicationProtocolNegotiator();
    }

    @Override
    public SSLEngine newEngine(ByteBufAllocator allocator) {
        return current().newEngine(allocator);
    }

    @Override
    public SSLEngine newEngine(ByteBufAllocator allocator, String peerHost, int peerPort) {
        return current().newEngine(allocator, peerHost, peerPort);
    }

    @Override
    protected SslHandler newHandler(ByteBufAllocator allocator, boolean startTls) {
        return current().newHandler(allocator);
    }

    @Override
    protected SslHandler newHandler(ByteBufAllocator allocator, String peerHost, int peerPort, boolean startTls) {
        return current().newHandler(allocator, peerHost, peerPort);
    }

    @Override
    public SSLSessionContext sessionContext() {
        return current().sessionContext();
    }
}
