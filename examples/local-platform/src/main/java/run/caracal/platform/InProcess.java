package run.caracal.platform;

import io.netty.channel.Channel;
import io.netty.channel.ChannelConfig;
import io.netty.channel.ChannelOption;
import io.netty.channel.DefaultChannelConfig;
import io.netty.channel.DefaultEventLoopGroup;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.ServerChannel;
import io.netty.channel.local.LocalAddress;
import io.netty.channel.local.LocalChannel;
import io.netty.channel.local.LocalServerChannel;
import io.netty.resolver.AbstractAddressResolver;
import io.netty.resolver.AddressResolver;
import io.netty.resolver.AddressResolverGroup;
import io.netty.util.concurrent.DefaultThreadFactory;
import io.netty.util.concurrent.EventExecutor;
import io.netty.util.concurrent.Future;
import io.netty.util.concurrent.Promise;
import java.net.ConnectException;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.server.HttpServer;
import reactor.netty.resources.LoopResources;

/** A network inside this JVM, without sockets: its ports are names. Each platform has its own. */
final class InProcess implements Network {

    private final Loops loops = new Loops();
    private final Map<Integer, LocalAddress> listening = new ConcurrentHashMap<>();
    private final AtomicInteger free = new AtomicInteger();
    private final AddressResolverGroup<SocketAddress> resolver = new AddressResolverGroup<>() {
        @Override
        protected AddressResolver<SocketAddress> newResolver(EventExecutor executor) {
            return new Lookup(executor);
        }
    };

    /** A restarted server keeps its port, and thereby its address. */
    @Override
    public HttpServer listening(HttpServer server, int port) {
        int taken = port == 0 ? free.incrementAndGet() : port;
        // With a class, Netty creates an id that is unique in this JVM.
        LocalAddress address = listening.computeIfAbsent(taken, number -> new LocalAddress(InProcess.class));
        return server.runOn(loops).bindAddress(() -> address);
    }

    @Override
    public int port(SocketAddress bound) {
        return listening.entrySet().stream()
                .filter(entry -> entry.getValue().equals(bound))
                .mapToInt(Map.Entry::getKey)
                .findFirst()
                .orElseThrow();
    }

    @Override
    public HttpClient reaching(HttpClient client) {
        return client.runOn(loops).resolver(resolver);
    }

    @Override
    public Mono<Void> close() {
        return Mono.fromRunnable(resolver::close).then(loops.disposeLater(QUIET_TIME, CLOSE_TIMEOUT));
    }

    /** Resolves the name of a port to its listener. */
    private final class Lookup extends AbstractAddressResolver<SocketAddress> {

        Lookup(EventExecutor executor) {
            super(executor);
        }

        @Override
        protected boolean doIsResolved(SocketAddress address) {
            return address instanceof LocalAddress;
        }

        @Override
        protected void doResolve(SocketAddress address, Promise<SocketAddress> promise) {
            LocalAddress found = find(address);
            if (found == null) {
                Promise<SocketAddress> unused = promise.setFailure(new ConnectException(
                        address + " is not a server of this in-process platform, which reaches no socket: serve the "
                                + "upstream in process, or start the platform on ports"));
            } else {
                Promise<SocketAddress> unused = promise.setSuccess(found);
            }
        }

        @Override
        protected void doResolveAll(SocketAddress address, Promise<List<SocketAddress>> promise) {
            Promise<SocketAddress> one = executor().newPromise();
            Future<SocketAddress> unused = one.addListener(done -> {
                var unusedAll =
                        done.isSuccess() ? promise.setSuccess(List.of(one.getNow())) : promise.setFailure(done.cause());
            });
            doResolve(address, one);
        }

        private @Nullable LocalAddress find(SocketAddress address) {
            return address instanceof InetSocketAddress inet
                            && List.of("127.0.0.1", "localhost").contains(inet.getHostString())
                    ? listening.get(inet.getPort())
                    : null;
        }
    }

    /** A thread for servers and one for clients: on a single one, an answer would arrive within the write of its request. */
    private static final class Loops implements LoopResources {

        private final EventLoopGroup servers = group("local-platform-server");
        private final EventLoopGroup clients = group("local-platform-client");

        @SuppressWarnings("deprecation")
        private static EventLoopGroup group(String name) {
            // BlockHound permits its wait for work, but not that of Netty's LocalIoHandler.
            return new DefaultEventLoopGroup(1, new DefaultThreadFactory(name, true));
        }

        @Override
        public EventLoopGroup onServer(boolean useNative) {
            return servers;
        }

        @Override
        public EventLoopGroup onClient(boolean useNative) {
            return clients;
        }

        /** Reactor Netty names a socket type, but accepts any channel. */
        @Override
        @SuppressWarnings("unchecked")
        public <C extends Channel> C onChannel(Class<C> asked, EventLoopGroup group) {
            return (C) (ServerChannel.class.isAssignableFrom(asked) ? new Server() : new Client());
        }

        @Override
        @SuppressWarnings("unchecked")
        public <C extends Channel> Class<? extends C> onChannelClass(Class<C> asked, EventLoopGroup group) {
            return (Class<? extends C>) (ServerChannel.class.isAssignableFrom(asked) ? Server.class : Client.class);
        }

        @Override
        public Mono<Void> disposeLater(Duration quietPeriod, Duration timeout) {
            return Mono.when(ended(servers, quietPeriod, timeout), ended(clients, quietPeriod, timeout));
        }

        private static Mono<Void> ended(EventLoopGroup group, Duration quietPeriod, Duration timeout) {
            return Mono.create(sink -> {
                Future<?> unused = group.shutdownGracefully(
                                quietPeriod.toMillis(), timeout.toMillis(), TimeUnit.MILLISECONDS)
                        .addListener(done -> sink.success());
            });
        }
    }

    private static final class Server extends LocalServerChannel {
        /** Created on demand, because Netty's constructor calls this before any field is initialised. */
        private @Nullable ChannelConfig options;

        @Override
        public ChannelConfig config() {
            options = Options.of(this, options);
            return options;
        }

        @Override
        protected LocalChannel newLocalChannel(LocalChannel peer) {
            return new Client(this, peer);
        }
    }

    private static final class Client extends LocalChannel {
        private @Nullable ChannelConfig options;

        Client() {}

        Client(LocalServerChannel parent, LocalChannel peer) {
            super(parent, peer);
        }

        @Override
        public ChannelConfig config() {
            options = Options.of(this, options);
            return options;
        }
    }

    /** Ignores socket options, which have no meaning here. */
    private static final class Options extends DefaultChannelConfig {

        private Options(Channel channel) {
            super(channel);
        }

        static ChannelConfig of(Channel channel, @Nullable ChannelConfig own) {
            return own == null ? new Options(channel) : own;
        }

        @Override
        public <T> boolean setOption(ChannelOption<T> option, T value) {
            boolean unused = super.setOption(option, value);
            return true;
        }
    }
}
