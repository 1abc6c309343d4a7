package run.caracal.netty.internal.provider;

import run.caracal.http.HttpTransport;
import run.caracal.http.HttpTransportProvider;
import run.caracal.netty.NettyHttpTransport;

/** Lets {@link java.util.ServiceLoader} find the transport of this artifact. */
public final class NettyHttpTransportProvider implements HttpTransportProvider {

    /** For {@link java.util.ServiceLoader}. */
    public NettyHttpTransportProvider() {}

    @Override
    public HttpTransport create() {
        return NettyHttpTransport.create();
    }
}
