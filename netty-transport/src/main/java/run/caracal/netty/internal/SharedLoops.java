package run.caracal.netty.internal;

import io.netty.channel.EventLoop;
import io.netty.channel.EventLoopGroup;
import io.netty.util.concurrent.EventExecutor;
import org.jspecify.annotations.Nullable;
import reactor.netty.http.HttpResources;
import reactor.netty.resources.LoopResources;

/** The event loops that clients of Reactor Netty use by default, also after the application has replaced them. */
public final class SharedLoops implements LoopResources {

    @Override
    public EventLoopGroup onServer(boolean useNative) {
        return HttpResources.get().onClient(useNative);
    }

    /** {@return that one of the event loops which the calling thread is, or {@code null} if it is none of them} */
    public static @Nullable EventLoop own(EventLoopGroup loops) {
        // Not next(), which gives other threads the loops in turn: a turn that is not used leaves a loop idle.
        for (EventExecutor loop : loops) {
            if (loop.inEventLoop()) {
                return (EventLoop) loop;
            }
        }
        return null;
    }
}
