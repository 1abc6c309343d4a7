package run.caracal.netty.internal;

import io.netty.channel.EventLoop;
import java.net.URI;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import reactor.netty.http.client.HttpClient;

/**
 * A client, and its copies for event loops. A connection never leaves the loop that made it, so that one of another loop
 * costs two changes of thread for each request; a copy for one loop has its own connections. The copies serve what is called
 * often: with few calls, the connections of many loops would be closed as idle, and most calls connect anew.
 *
 * <p>The pools of loops that the application has replaced are empty, and stay until the transport is disposed.
 */
public final class LoopClients {
    private final HttpClient shared;
    private final PerLoop<HttpClient> own;
    /** By authority: STS, Coordinator, Gateway, and the host of the keys. */
    private final Map<String, Pace> services = new ConcurrentHashMap<>();

    /** Creates the clients; the copies follow when they are first used. */
    public LoopClients(HttpClient client) {
        this.shared = client;
        this.own = new PerLoop<>(loop -> client.runOn(useNative -> loop));
    }

    /** {@return the client for a request, which it may send on the given loop} */
    public HttpClient client(EventLoop loop, URI uri) {
        long now = System.nanoTime();
        Pace pace = services.computeIfAbsent(uri.getAuthority(), first -> new Pace(now));
        return pace.isBusy(now) ? own.of(loop) : shared;
    }

    /**
     * Tells from the requests of this period and the one before whether there are enough. Requests that meet at the end of
     * a period may be counted in either.
     */
    static final class Pace {
        static final long PERIOD = Duration.ofSeconds(10).toNanos();
        /** Of a period, and of all loops: several for each, also where there are many. */
        static final int ENOUGH = 200;

        private final AtomicLong start;
        private final AtomicInteger requests = new AtomicInteger();
        private volatile int before;

        Pace(long nanos) {
            start = new AtomicLong(nanos);
        }

        /** Counts a request. */
        boolean isBusy(long nanos) {
            long began = start.get();
            long elapsed = nanos - began;
            if (elapsed >= PERIOD && start.compareAndSet(began, nanos)) {
                int counted = requests.getAndSet(0);
                before = elapsed < 2 * PERIOD ? counted : 0;
            }
            return requests.incrementAndGet() >= ENOUGH || before >= ENOUGH;
        }
    }
}
