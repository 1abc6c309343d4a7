package run.caracal.platform;

import io.netty.buffer.Unpooled;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.util.ReferenceCountUtil;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Answers malformed and oversized requests as the service's own HTTP library does, and closes the connection. */
final class MalformedRequests extends ChannelInboundHandlerAdapter {

    private final Service service;

    MalformedRequests(Service service) {
        this.service = service;
    }

    @Override
    public void channelRead(ChannelHandlerContext context, Object message) {
        if (!(message instanceof HttpRequest request) || request.decoderResult().isSuccess()) {
            context.fireChannelRead(message);
            return;
        }
        boolean tooLong = request.decoderResult().cause() instanceof TooLongFrameException;
        ReferenceCountUtil.release(message);
        Answer answer = service == Service.COORDINATOR ? nodeAnswer(tooLong) : goAnswer(tooLong);
        DefaultFullHttpResponse response = new DefaultFullHttpResponse(
                HttpVersion.HTTP_1_1,
                HttpResponseStatus.valueOf(answer.status()),
                Unpooled.wrappedBuffer(answer.body()));
        answer.headers().forEach(response.headers()::set);
        response.headers()
                .set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE)
                .set(HttpHeaderNames.CONTENT_LENGTH, answer.body().length);
        context.writeAndFlush(response).addListener(ChannelFutureListener.CLOSE);
    }

    private static Answer goAnswer(boolean tooLong) {
        String text = tooLong ? "431 Request Header Fields Too Large" : "400 Bad Request";
        return new Answer(
                tooLong ? 431 : 400,
                Map.of("Content-Type", "text/plain; charset=utf-8"),
                text.getBytes(StandardCharsets.UTF_8));
    }

    private static Answer nodeAnswer(boolean tooLong) {
        int status = tooLong ? 431 : 400;
        Map<String, @Nullable Object> body = Json.object();
        body.put("error", tooLong ? "Request Header Fields Too Large" : "Bad Request");
        body.put("message", tooLong ? "Exceeded maximum allowed HTTP header size" : "Client Error");
        body.put("statusCode", status);
        return Answer.json(status, body);
    }
}
