package run.caracal.netty.internal.provider;

import reactor.netty.http.HttpResources;
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

    /** On the event loops that clients of Reactor Netty use by default, also after the application has replaced them. */
    @Override
    public HttpTransport createForCalls() {
        return NettyHttpTransport.builder()
                .customize(
                        client -> client.runOn(useNative -> HttpResources.get().onClient(useNative)))
                .build();
    }
}
