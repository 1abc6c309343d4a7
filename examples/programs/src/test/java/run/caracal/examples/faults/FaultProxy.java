package run.caracal.examples.faults;

import io.netty.bootstrap.ServerBootstrap;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.ChannelInitializer;
import io.netty.channel.ChannelOption;
import io.netty.channel.EventLoopGroup;
import io.netty.channel.group.ChannelGroup;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.socket.DuplexChannel;
import io.netty.channel.socket.SocketChannel;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpMethod;
import io.netty.handler.codec.http.HttpObjectAggregator;
import io.netty.handler.codec.http.HttpRequestDecoder;
import io.netty.handler.ssl.SslContext;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.BindException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Queue;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import reactor.core.publisher.Mono;
import reactor.netty.ByteBufMono;
import reactor.netty.http.client.HttpClient;
import run.caracal.examples.faults.WireFault.Answer;
import run.caracal.examples.faults.WireFault.Stage;

/**
 * Stands between a client and one server, records what the client sends and plays a fault. Until the fault is armed, and
 * when it has been played as often as it was meant to, everything passes.
 */
@SuppressWarnings("FutureReturnValueIgnored") // of writes and closes: a client that has gone needs no answer
final class FaultProxy {
    private static final int MAX_BODY = 16 << 20;
    private static final byte[] CHUNK = ("8000\r\n" + "x".repeat(0x8000) + "\r\n").getBytes(StandardCharsets.US_ASCII);

    /** A request as it arrived. */
    record Seen(String method, String uri, Map<String, String> headers, String body) {
        String bearer() {
            return headers.getOrDefault("authorization", "");
        }
    }

    /**
     * A fault and when it is played.
     *
     * @param fault the fault; {@code null} for none
     * @param answers played in the fault's place, if given: an answer of the server's own making
     * @param forwards whether the server sees the requests that get such an answer
     * @param hits the requests it is meant for
     * @param after how many requests pass before it is armed
     * @param times how often it is played
     */
    record Plan(WireFault fault, Answer answers, boolean forwards, Predicate<Seen> hits, int after, int times) {
        static Plan none() {
            return new Plan(null, null, false, seen -> false, 0, 0);
        }

        boolean isOfConnections() {
            return fault != null && fault.stage == Stage.CONNECTION;
        }
    }

    private final EventLoopGroup loops;
    private final HttpClient forwarder;
    private final Plan plan;
    private final SslContext tls;
    private final String elsewhere;
    private final Channel listener;
    private final ChannelGroup connections = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
    private final Queue<Seen> seen = new ConcurrentLinkedQueue<>();
    private final AtomicInteger played = new AtomicInteger();
    private final AtomicInteger forwarding = new AtomicInteger();
    private final AtomicInteger passed = new AtomicInteger();
    private final AtomicInteger missed = new AtomicInteger();
    private final int port;
    private final Socket keeper = new Socket();
    private volatile String target;
    private volatile boolean armed;

    /**
     * Listens.
     *
     * @param loops where it runs
     * @param forwarder sends to the server
     * @param target the server's base URL
     * @param plan the fault, and the requests that it hits
     * @param tls its certificate; {@code null} for plain connections
     * @param elsewhere where redirects lead to
     */
    FaultProxy(EventLoopGroup loops, HttpClient forwarder, String target, Plan plan, SslContext tls, String elsewhere) {
        this.loops = loops;
        this.forwarder = forwarder;
        this.target = target;
        this.plan = plan;
        this.tls = tls;
        this.elsewhere = elsewhere;
        this.listener = new ServerBootstrap()
                .group(loops)
                .channel(NioServerSocketChannel.class)
                .childOption(ChannelOption.ALLOW_HALF_CLOSURE, true)
                .childHandler(new ChannelInitializer<SocketChannel>() {
                    @Override
                    protected void initChannel(SocketChannel channel) {
                        accept(channel);
                    }
                })
                .bind("127.0.0.1", 0)
                .syncUninterruptibly()
                .channel();
        this.port = ((InetSocketAddress) listener.localAddress()).getPort();
        if (plan.isOfConnections() && plan.after() == 0) {
            arm();
            if (plan.fault() == WireFault.REFUSED) {
                listener.close().syncUninterruptibly();
                keepPort(() -> {});
            }
        }
    }

    int port() {
        return port;
    }

    /** Every request that arrived, with any outcome. */
    List<Seen> seen() {
        return List.copyOf(seen);
    }

    long count(Predicate<Seen> which) {
        return seen.stream().filter(which).count();
    }

    /** How many connections of clients are open. */
    int open() {
        return connections.size();
    }

    /** Whether no request is on its way to the server. */
    boolean isQuiet() {
        return forwarding.get() == 0;
    }

    /** Forwards to another server from now on. */
    void retarget(String url) {
        target = url;
    }

    /** Whether the next one that the fault is meant for meets it. */
    boolean isLoaded() {
        return played.get() < plan.times();
    }

    /** Whether a fault of connections is in force, for those parts of it that are not played here; uses it up. */
    boolean spoilsConnection() {
        return armed && played.getAndIncrement() < plan.times();
    }

    /** Whether the server has gone, as it has after its fault for so many attempts to reach it; uses one up. */
    boolean isMissed(int attempts) {
        return !isLoaded() && missed.getAndIncrement() < attempts;
    }

    void close() {
        listener.close();
        connections.close();
        try {
            keeper.close();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Bound and not listening: connections to it are refused, and no other server gets the port. */
    private void keepPort(Runnable then) {
        try {
            keeper.setReuseAddress(true);
            keeper.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
        } catch (BindException e) {
            // A selector still holds the closed channel.
            loops.schedule(() -> keepPort(then), 1, TimeUnit.MILLISECONDS);
            return;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        then.run();
    }

    private void arm() {
        armed = true;
    }

    private void accept(SocketChannel channel) {
        connections.add(channel);
        if (plan.fault() == WireFault.RESET_AT_ACCEPT && spoilsConnection()) {
            channel.config().setSoLinger(0);
            channel.close();
            return;
        }
        boolean plain = plan.fault() == WireFault.TLS_TO_PLAIN && spoilsConnection();
        if (tls != null && !plain) {
            channel.pipeline().addLast(tls.newHandler(channel.alloc()));
        }
        channel.pipeline()
                .addLast(new HttpRequestDecoder())
                .addLast(new HttpObjectAggregator(MAX_BODY))
                .addLast(new Requests());
    }

    private final class Requests extends ChannelInboundHandlerAdapter {
        @Override
        public void channelRead(ChannelHandlerContext context, Object message) {
            if (!(message instanceof FullHttpRequest request)) {
                context.fireChannelRead(message);
                return;
            }
            try {
                if (request.decoderResult().isFailure()) {
                    wire(context).last(Answer.of(400, new byte[0]).bytes());
                } else {
                    received(context, request);
                }
            } finally {
                request.release();
            }
        }

        /** The connection is broken, or the client rejects the certificate. */
        @Override
        public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
            context.close();
        }

        @Override
        public void userEventTriggered(ChannelHandlerContext context, Object event) {
            if (event instanceof io.netty.channel.socket.ChannelInputShutdownEvent) {
                context.close(); // the client has gone
            }
        }
    }

    private void received(ChannelHandlerContext context, FullHttpRequest request) {
        Map<String, String> headers = new TreeMap<>();
        request.headers().forEach(h -> headers.put(h.getKey().toLowerCase(Locale.ROOT), h.getValue()));
        byte[] body = ByteBufUtil.getBytes(request.content());
        Seen one = new Seen(
                request.method().name(), request.uri(), headers, new String(body, StandardCharsets.ISO_8859_1));
        seen.add(one);
        boolean hit = !plan.isOfConnections()
                && passed.get() >= plan.after()
                && plan.hits().test(one)
                && played.getAndIncrement() < plan.times();
        if (hit && !(plan.answers() == null ? plan.fault().stage == Stage.ANSWER : plan.forwards())) {
            play(context, null);
            return;
        }
        HttpHeaders copy = request.headers().copy();
        forwarding.incrementAndGet();
        Mono<Answer> answered = forwarder
                .headers(h -> h.setAll(copy).remove("Host").remove("Content-Length"))
                .request(HttpMethod.valueOf(one.method()))
                .uri(target + one.uri())
                .send((out, outbound) -> {
                    if (copy.contains("Content-Length")) {
                        out.requestHeaders().remove("Transfer-Encoding").set("Content-Length", body.length);
                    } else if (body.length == 0) {
                        out.requestHeaders().remove("Transfer-Encoding");
                        return outbound;
                    }
                    return outbound.sendByteArray(Mono.just(body));
                })
                .responseSingle((response, content) -> read(response, content));
        var unused = answered.doFinally(signal -> forwarding.decrementAndGet())
                .subscribe(
                        answer -> context.executor().execute(() -> {
                            if (hit) {
                                play(context, answer);
                            } else {
                                pass(context, answer);
                            }
                        }),
                        failed -> context.close());
    }

    private static Mono<Answer> read(reactor.netty.http.client.HttpClientResponse response, ByteBufMono content) {
        StringBuilder headers = new StringBuilder();
        response.responseHeaders().forEach(h -> {
            switch (h.getKey().toLowerCase(Locale.ROOT)) {
                case "content-length", "transfer-encoding", "connection", "trailer" -> {}
                default ->
                    headers.append(h.getKey()).append(": ").append(h.getValue()).append("\r\n");
            }
        });
        return content.asByteArray()
                .defaultIfEmpty(new byte[0])
                .map(bytes -> new Answer(response.status().code(), headers.toString(), bytes));
    }

    /** Under a fault of connections each request has one of its own, so that the next one meets the fault. */
    private void pass(ChannelHandlerContext context, Answer answer) {
        int before = passed.incrementAndGet();
        if (!plan.isOfConnections()) {
            wire(context).write(answer.bytes());
            return;
        }
        if (before == plan.after()) {
            arm();
            if (plan.fault() == WireFault.REFUSED) {
                listener.close()
                        .addListener(closed -> keepPort(() -> context.executor()
                                .execute(() -> wire(context)
                                        .last(answer.with("Connection", "close").bytes()))));
                return;
            }
        }
        wire(context).last(answer.with("Connection", "close").bytes());
    }

    private void play(ChannelHandlerContext context, Answer answer) {
        Answer scripted = plan.answers();
        if (scripted != null) {
            wire(context).write(scripted.bytes());
        } else {
            plan.fault().script.play(wire(context), answer);
        }
    }

    private WireFault.Wire wire(ChannelHandlerContext context) {
        return new WireFault.Wire() {
            @Override
            public void write(byte[] bytes) {
                context.writeAndFlush(Unpooled.wrappedBuffer(bytes))
                        .addListener(ChannelFutureListener.CLOSE_ON_FAILURE);
            }

            @Override
            public void last(byte[] bytes) {
                context.writeAndFlush(Unpooled.wrappedBuffer(bytes)).addListener(ChannelFutureListener.CLOSE);
            }

            @Override
            public void drip(byte[] bytes) {
                drip(bytes, 0);
            }

            private void drip(byte[] bytes, int from) {
                if (from < bytes.length && context.channel().isActive()) {
                    write(new byte[] {bytes[from]});
                    var unused = context.executor().schedule(() -> drip(bytes, from + 1), 20, TimeUnit.MILLISECONDS);
                }
            }

            @Override
            public void flood() {
                write("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                        .getBytes(StandardCharsets.US_ASCII));
                next();
            }

            private void next() {
                context.writeAndFlush(Unpooled.wrappedBuffer(CHUNK)).addListener(written -> {
                    if (written.isSuccess()) {
                        context.executor().execute(this::next);
                    } else {
                        context.close();
                    }
                });
            }

            @Override
            public void reset() {
                ((SocketChannel) context.channel()).config().setSoLinger(0);
                context.close();
            }

            @Override
            public void endOutput() {
                ((DuplexChannel) context.channel()).shutdownOutput();
            }

            @Override
            public void endAll() {
                reset();
                connections.close();
            }

            @Override
            public byte[] redirect(int status) {
                return Answer.of(status, new byte[0])
                        .with("Location", elsewhere + "/stolen")
                        .bytes();
            }
        };
    }
}
