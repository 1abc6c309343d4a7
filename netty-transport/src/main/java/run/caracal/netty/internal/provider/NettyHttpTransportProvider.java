package run.caracal.netty.internal.provider;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.EventExecutorGroup;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import reactor.core.scheduler.Scheduler;
import reactor.netty.http.HttpResources;
import reactor.netty.resources.LoopResources;
import run.caracal.http.HttpTransport;
import run.caracal.http.HttpTransportProvider;
import run.caracal.netty.NettyHttpTransport;

/** Lets {@link java.util.ServiceLoader} find the transport of this artifact. */
public final class NettyHttpTransportProvider implements HttpTransportProvider {
    private final Map<EventLoop, Scheduler> callers = new ConcurrentHashMap<>();

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
                .eventLoops(1) // for the evictions of its pool
                .customize(
                        client -> client.runOn(useNative -> HttpResources.get().onClient(useNative)))
                .build();
    }

    @Override
    public Scheduler callerScheduler() {
        // On one of the shared loops, next() returns that loop.
        EventLoop loop =
                HttpResources.get().onClient(LoopResources.DEFAULT_NATIVE).next();
        Scheduler other = HttpTransportProvider.super.callerScheduler();
        if (!loop.inEventLoop()) {
            return other;
        }
        Scheduler known = callers.get(loop);
        return known != null ? known : first(loop, other);
    }

    /** Those of loops that the application has replaced are dropped. */
    private Scheduler first(EventLoop loop, Scheduler instead) {
        callers.keySet().removeIf(EventExecutorGroup::isShuttingDown);
        return callers.computeIfAbsent(loop, own -> new LoopScheduler(own, instead));
    }
}
