package run.caracal.netty.internal.provider;

import io.netty.channel.EventLoop;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.HttpResources;
import reactor.netty.resources.LoopResources;
import run.caracal.http.HttpTransport;
import run.caracal.http.HttpTransportProvider;
import run.caracal.netty.NettyHttpTransport;

/** Lets {@link java.util.ServiceLoader} find the transport of this artifact. */
public final class NettyHttpTransportProvider implements HttpTransportProvider {

    /** For {@link java.util.ServiceLoader}. */
    public NettyHttpTransportProvider() {}

    /** With one event loop: as no code of users runs there, more would only spread the connections. */
    @Override
    public HttpTransport create() {
        return NettyHttpTransport.builder().eventLoops(1).build();
    }

    /** On the event loops that clients of Reactor Netty use by default, also after the application has replaced them. */
    @Override
    public HttpTransport createForCalls() {
        return NettyHttpTransport.builder()
                .customize(
                        client -> client.runOn(useNative -> HttpResources.get().onClient(useNative)))
                .build();
    }

    @Override
    public Scheduler callerScheduler() {
        EventLoop loop =
                HttpResources.get().onClient(LoopResources.DEFAULT_NATIVE).next(); // that of this thread, if it is one
        return loop.inEventLoop() ? Schedulers.fromExecutorService(loop, "caracal-callers") : Schedulers.parallel();
    }
}
