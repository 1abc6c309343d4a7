package run.caracal.netty.internal;

import io.netty.channel.EventLoop;
import java.net.URI;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import reactor.netty.http.client.HttpClient;

/**
 * A client, and its copies for event loops. A connection never leaves the loop that made it, so that one of another loop
 * costs two changes of thread for each request; a copy for one loop has its own connections. A loop gets them for a service
 * to which it sends often: those of a quiet loop would be closed as idle before their next use, and all quiet loops
 * together keep one connection open.
 */
public final class LoopClients {
    private final HttpClient shared;
    private final PerLoop<OfLoop> loops;

    /** Creates the clients; the copies follow when they are first used. */
    public LoopClients(HttpClient client) {
        this.shared = client;
        this.loops = new PerLoop<>(loop -> new OfLoop(client.runOn(useNative -> loop)));
    }

    /** {@return the client for a request by the calling thread, which may be the given loop} */
    public HttpClient client(EventLoop loop, URI uri) {
        return loop.inEventLoop() ? loops.of(loop).client(shared, uri.getAuthority()) : shared;
    }

    /** Of one loop, and used on it only. */
    private static final class OfLoop {
        private final HttpClient own;
        private final Map<String, Pace> services = new HashMap<>();

        OfLoop(HttpClient own) {
            this.own = own;
        }

        HttpClient client(HttpClient shared, String service) {
            long now = System.nanoTime();
            return services.computeIfAbsent(service, first -> new Pace(now)).isBusy(now) ? own : shared;
        }
    }

    /** Tells from the requests of this period and the one before whether there are enough. */
    static final class Pace {
        static final long PERIOD = TimeUnit.SECONDS.toNanos(10);
        static final int ENOUGH = 50;

        private long start;
        private int requests;
        private int before;

        Pace(long nanos) {
            start = nanos;
        }

        /** Counts a request. */
        boolean isBusy(long nanos) {
            long periods = (nanos - start) / PERIOD;
            if (periods != 0) {
                before = periods == 1 ? requests : 0;
                requests = 0;
                start += periods * PERIOD;
            }
            requests++;
            return Math.max(before, requests) >= ENOUGH;
        }
    }
}
