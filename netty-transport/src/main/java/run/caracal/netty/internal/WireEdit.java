package run.caracal.netty.internal;

import io.netty.channel.Channel;
import io.netty.channel.ChannelDuplexHandler;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelPipeline;
import io.netty.channel.ChannelPromise;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.util.AsciiString;
import io.netty.util.AttributeKey;
import io.netty.util.ReferenceCountUtil;
import org.jspecify.annotations.Nullable;
import reactor.netty.NettyPipeline;
import reactor.netty.channel.ChannelOperations;
import run.caracal.error.AuthorityRevokedException;

/**
 * Edits the head of a request next to the codec, where everything that the caller wanted to set is set, and looks at the
 * end of its answer, where the Gateway says that it cut the answer off. Stays on a connection once it is there, and lets
 * pass what it was not armed for.
 */
final class WireEdit extends ChannelDuplexHandler {
    private static final String NAME = "caracal.wireEdit";
    private static final AttributeKey<@Nullable WireEdit> KEY = AttributeKey.valueOf(NAME);
    private static final String[] CODECS = {
        NettyPipeline.HttpCodec, NettyPipeline.H2ToHttp11Codec, NettyPipeline.H3ToHttp11Codec
    };

    private static final AsciiString RESOURCE = AsciiString.cached("x-caracal-resource");
    private static final AsciiString REQUEST_ID = AsciiString.cached("x-request-id");
    private static final AsciiString REVOKED = AsciiString.cached("x-caracal-revoked");

    private @Nullable OutboundExchange next;
    private @Nullable ChannelOperations<?, ?> armedFor;
    private @Nullable Throwable refused;

    // Of the request that was sent last; null when it did not go to the Gateway, which alone cuts answers off.
    private @Nullable String resource;
    private @Nullable String requestId;

    private WireEdit() {}

    static void arm(Channel channel, OutboundExchange exchange) {
        WireEdit edit = channel.attr(KEY).get();
        if (edit == null) {
            edit = new WireEdit();
            edit.addTo(channel.pipeline());
            channel.attr(KEY).set(edit);
        }
        edit.next = exchange;
        edit.armedFor = ChannelOperations.get(channel);
    }

    private void addTo(ChannelPipeline pipeline) {
        for (String codec : CODECS) {
            if (pipeline.get(codec) != null) {
                pipeline.addAfter(codec, NAME, this);
                return;
            }
        }
        pipeline.addBefore(NettyPipeline.ReactiveBridge, NAME, this);
    }

    @Override
    public void write(ChannelHandlerContext context, Object message, ChannelPromise promise) throws Exception {
        if (message instanceof HttpRequest request) {
            // A request that failed before it was written leaves its connection to the next one, not its identity.
            OutboundExchange exchange = ChannelOperations.get(context.channel()) == armedFor ? next : null;
            next = null;
            armedFor = null;
            refused = null;
            resource = null;
            if (exchange != null) {
                try {
                    exchange.onWire(request.headers());
                    resource = request.headers().get(RESOURCE);
                } catch (RuntimeException | Error e) {
                    ChannelOperations<?, ?> asking = ChannelOperations.get(context.channel());
                    refuse(message, promise, e);
                    context.executor().execute(() -> end(context, asking, e));
                    return;
                }
            }
        } else if (refused != null) {
            // The rest of a request whose head was not sent.
            refuse(message, promise, refused);
            return;
        }
        super.write(context, message, promise);
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        String called = resource;
        if (called != null) {
            if (message instanceof HttpResponse answer) {
                requestId = answer.headers().get(REQUEST_ID);
            }
            if (message instanceof LastHttpContent last
                    && Boolean.parseBoolean(last.trailingHeaders().get(REVOKED))) {
                ReferenceCountUtil.release(message); // trailers come without content
                end(
                        context,
                        ChannelOperations.get(context.channel()),
                        new AuthorityRevokedException(called, requestId));
                return;
            }
        }
        context.fireChannelRead(message);
    }

    private void refuse(Object message, ChannelPromise promise, Throwable error) {
        refused = message instanceof LastHttpContent ? null : error;
        ReferenceCountUtil.release(message);
        promise.tryFailure(error);
    }

    /** Of a request without a body that WebClient sends, Reactor Netty does not watch the write, and would wait for ever. */
    private static void end(ChannelHandlerContext context, @Nullable ChannelOperations<?, ?> asking, Throwable error) {
        Channel channel = context.channel();
        if (asking != null && channel.isActive() && ChannelOperations.get(channel) == asking) {
            context.fireExceptionCaught(error);
            var unused = context.close();
        }
    }
}
