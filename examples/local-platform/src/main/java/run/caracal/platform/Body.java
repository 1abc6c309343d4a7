package run.caracal.platform;

import io.netty.buffer.ByteBuf;
import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** A whole request body; one over the limit is only known to be too large. */
final class Body {

    static final Body NONE = new Body(new byte[0], false);

    private final byte[] bytes;
    private final boolean tooLarge;

    private Body(byte[] bytes, boolean tooLarge) {
        this.bytes = bytes;
        this.tooLarge = tooLarge;
    }

    /** Reads the whole body, and keeps it unless it exceeds the limit. */
    static Mono<Body> read(Flux<ByteBuf> content, int limit) {
        return content.reduceWith(() -> new Collector(limit), Collector::add).map(Collector::body);
    }

    byte[] bytes() {
        return bytes;
    }

    boolean tooLarge() {
        return tooLarge;
    }

    String text() {
        return new String(bytes, StandardCharsets.UTF_8);
    }

    boolean isEmpty() {
        return bytes.length == 0 && !tooLarge;
    }

    private static final class Collector {
        private final int limit;
        private final ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        private boolean tooLarge;

        Collector(int limit) {
            this.limit = limit;
        }

        Collector add(ByteBuf piece) {
            if (tooLarge || piece.readableBytes() > limit - bytes.size()) {
                tooLarge = true;
            } else {
                byte[] copy = new byte[piece.readableBytes()];
                piece.readBytes(copy);
                bytes.writeBytes(copy);
            }
            return this;
        }

        Body body() {
            return tooLarge ? new Body(new byte[0], true) : new Body(bytes.toByteArray(), false);
        }
    }
}
