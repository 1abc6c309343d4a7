package run.caracal.netty.internal.provider;

import io.netty.channel.EventLoop;
import reactor.core.scheduler.Scheduler;
import reactor.netty.http.HttpResources;
import reactor.netty.resources.LoopResources;
import run.caracal.http.HttpTransport;
import run.caracal.http.HttpTransportProvider;
import run.caracal.netty.NettyHttpTransport;
import run.caracal.netty.internal.PerLoop;
import run.caracal.netty.internal.SharedLoops;

/** Lets {@link java.util.ServiceLoader} find the transport of this artifact. */
public final class NettyHttpTransportProvider implements HttpTransportProvider {
    private final PerLoop<Scheduler> callers =
            new PerLoop<>(loop -> new LoopScheduler(loop, HttpTransportProvider.super.callerScheduler()));

    /** For {@link java.util.ServiceLoader}. */
    public NettyHttpTransportProvider() {}

    /** With one event loop: as no code of users runs there, more would only spread the connections. */
    @Override
    public HttpTransport create() {
        return NettyHttpTransport.builder().eventLoops(1).build();
    }

    /** On the event loops that clients of Reactor Netty use by default; if it is called often, on that of the caller. */
    @Override
    public HttpTransport createForCalls() {
        return NettyHttpTransport.builder()
                .eventLoops(1) // for the evictions of its pool
                .customize(client -> client.runOn(new SharedLoops()))
                .build();
    }

    @Override
    public Scheduler callerScheduler() {
        EventLoop own = SharedLoops.own(HttpResources.get().onClient(LoopResources.DEFAULT_NATIVE));
        return own != null ? callers.of(own) : HttpTransportProvider.super.callerScheduler();
    }
}
