package run.caracal.netty.internal;

import io.netty.channel.EventLoop;
import io.netty.util.concurrent.EventExecutorGroup;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Function;

/**
 * What each event loop has of its own, made when it is first asked for. That of loops which the application has replaced is
 * dropped when a new one asks.
 */
public final class PerLoop<T> {
    private final Map<EventLoop, T> known = new ConcurrentHashMap<>();
    private final Function<EventLoop, T> made;

    /** Creates an empty one. */
    public PerLoop(Function<EventLoop, T> made) {
        this.made = made;
    }

    /** {@return what the loop has} */
    public T of(EventLoop loop) {
        T own = known.get(loop);
        return own != null ? own : first(loop);
    }

    private T first(EventLoop loop) {
        known.keySet().removeIf(EventExecutorGroup::isShuttingDown);
        return known.computeIfAbsent(loop, made);
    }
}
