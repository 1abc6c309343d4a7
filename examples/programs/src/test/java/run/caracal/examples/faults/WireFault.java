package run.caracal.examples.faults;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Arrays;
import java.util.zip.GZIPOutputStream;

/** The faults between a client and a server, from the connection to the last byte of the answer. */
@SuppressWarnings("ImmutableEnumChecker") // scripts keep nothing
enum WireFault {
    /** Nothing listens. */
    REFUSED(Stage.CONNECTION, null),
    /** The connection is accepted and reset. */
    RESET_AT_ACCEPT(Stage.CONNECTION, null),
    /** The client speaks TLS to a server that does not. */
    TLS_TO_PLAIN(Stage.CONNECTION, null),
    /** The server's certificate is of an authority that the client does not trust. */
    TLS_UNTRUSTED(Stage.CONNECTION, null),
    /** The name of the server is unknown. */
    DNS(Stage.CONNECTION, null),
    /** The connection is reset when the request has arrived; the server does not see it. */
    RESET_DURING(Stage.REQUEST, (wire, answer) -> wire.reset()),
    /** The server's side of the connection ends when the request has arrived; the server does not see it. */
    HALF_CLOSE(Stage.REQUEST, (wire, answer) -> wire.endOutput()),
    /** The request is swallowed. */
    STALL_BEFORE(Stage.REQUEST, (wire, answer) -> {}),
    /** The answer is not HTTP. */
    NO_HTTP(Stage.REQUEST, (wire, answer) -> wire.last("\u0001\u0002 not HTTP at all\r\n\r\n".getBytes(UTF_8))),
    /** The server has acted, the connection is reset instead of its answer. */
    RESET_AFTER(Stage.ANSWER, (wire, answer) -> wire.reset()),
    /**
     * The server has acted, all connections end instead of its answer, and the server has gone for as long as the operation
     * is retried: its name does not resolve.
     */
    LOST_THEN_GONE(Stage.ANSWER, (wire, answer) -> wire.endAll()),
    /** The server has acted, its answer does not come. */
    STALL_HEADERS(Stage.ANSWER, (wire, answer) -> {}),
    /** The server has acted, the rest of its answer does not come. */
    STALL_BODY(Stage.ANSWER, (wire, answer) -> wire.write(answer.firstHalf())),
    /** The server has acted, its answer comes byte by byte. */
    DRIP(Stage.ANSWER, (wire, answer) -> wire.drip(answer.bytes())),
    /** The server has acted, the connection ends within its answer. */
    CUT_BODY(Stage.ANSWER, (wire, answer) -> wire.last(answer.firstHalf())),
    /** The server has acted, the connection is reset within its answer. */
    RESET_BODY(Stage.ANSWER, (wire, answer) -> {
        wire.write(answer.firstHalf());
        wire.reset();
    }),
    /** The server has acted, its answer is chunked and has no last chunk. */
    CHUNKED_STALL(Stage.ANSWER, (wire, answer) -> wire.write(answer.chunked())),
    /** The server has acted, its JSON is cut in half, but well framed. */
    TRUNCATED_JSON(Stage.ANSWER, (wire, answer) -> wire.write(answer.truncated().bytes())),
    /** The server has acted, its JSON is called plain text. */
    WRONG_TYPE(
            Stage.ANSWER, (wire, answer) -> wire.write(answer.as("text/plain").bytes())),
    /** The server has acted and answers as HTTP/1.0, without a length. */
    HTTP_1_0(Stage.ANSWER, (wire, answer) -> wire.last(answer.version10())),
    /** A success that is longer than any answer. */
    OVERSIZED(
            Stage.REQUEST,
            (wire, answer) -> wire.write(Answer.of(200, oversized()).bytes())),
    /** A success whose chunks do not end. */
    CHUNKED_FLOOD(Stage.REQUEST, (wire, answer) -> wire.flood()),
    /** A success that is small, compressed unasked, and huge when it is not. */
    GZIP_BOMB(
            Stage.REQUEST,
            (wire, answer) -> wire.write(
                    Answer.of(200, bomb()).with("Content-Encoding", "gzip").bytes())),
    /** A success that says nothing. */
    EMPTY(
            Stage.REQUEST,
            (wire, answer) -> wire.write(Answer.of(200, new byte[0]).bytes())),
    /** A success that is no JSON. */
    GARBAGE(
            Stage.REQUEST,
            (wire, answer) ->
                    wire.write(Answer.of(200, "{{nonsense".getBytes(UTF_8)).bytes())),
    /** A success from another server: the page of a proxy. */
    HTML(
            Stage.REQUEST,
            (wire, answer) -> wire.write(Answer.of(200, "<html>Welcome!</html>".getBytes(UTF_8))
                    .as("text/html")
                    .bytes())),
    /** A redirect to another origin that invites the client to come again with GET. */
    REDIRECT_302(Stage.REQUEST, (wire, answer) -> wire.write(wire.redirect(302))),
    /** A redirect to another origin that invites the client to send the same again. */
    REDIRECT_307(Stage.REQUEST, (wire, answer) -> wire.write(wire.redirect(307)));

    /** How far a request comes. */
    enum Stage {
        /** It is not sent. */
        CONNECTION,
        /** It is sent, and the server does not see it. */
        REQUEST,
        /** The server acts on it. */
        ANSWER
    }

    /** The server's side of a connection, as a script controls it. */
    interface Wire {
        void write(byte[] bytes);

        void last(byte[] bytes);

        void drip(byte[] bytes);

        void flood();

        void reset();

        void endOutput();

        void endAll();

        byte[] redirect(int status);
    }

    /** Plays the fault in place of the answer. */
    @FunctionalInterface
    interface Script {
        void play(Wire wire, Answer answer);
    }

    final Stage stage;
    final Script script;

    WireFault(Stage stage, Script script) {
        this.stage = stage;
        this.script = script;
    }

    /** Whether the client finds it out by waiting. */
    boolean isSlow() {
        return switch (this) {
            case STALL_BEFORE, STALL_HEADERS, STALL_BODY, DRIP, CHUNKED_STALL -> true;
            default -> false;
        };
    }

    /** Whether the client may not find the server by its name. */
    boolean isOfNames() {
        return this == DNS || this == LOST_THEN_GONE;
    }

    /** Whether there are attempts that never become a request. */
    boolean isOfConnections() {
        return stage == Stage.CONNECTION || this == LOST_THEN_GONE;
    }

    boolean isTls() {
        return this == TLS_TO_PLAIN || this == TLS_UNTRUSTED;
    }

    private static byte[] oversized() {
        byte[] body = new byte[(1 << 20) + 1];
        Arrays.fill(body, (byte) ' ');
        body[0] = '{';
        body[body.length - 1] = '}';
        return body;
    }

    private static byte[] bomb() {
        ByteArrayOutputStream small = new ByteArrayOutputStream();
        try (GZIPOutputStream huge = new GZIPOutputStream(small)) {
            byte[] zeros = new byte[1 << 20];
            for (int i = 0; i < 8; i++) {
                huge.write(zeros);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return small.toByteArray();
    }

    /** An HTTP answer as it is written. */
    @SuppressWarnings("ArrayRecordComponent") // never compared
    record Answer(int status, String headers, byte[] body) {

        static Answer of(int status, byte[] body) {
            return new Answer(status, "Content-Type: application/json\r\n", body);
        }

        Answer with(String name, String value) {
            return new Answer(status, headers + name + ": " + value + "\r\n", body);
        }

        Answer as(String contentType) {
            return new Answer(status, headers.replaceAll("(?i)(content-type: )[^\r]*", "$1" + contentType), body);
        }

        Answer truncated() {
            return new Answer(status, headers, Arrays.copyOf(body, body.length / 2));
        }

        private byte[] framed(String version, String framing, byte[] content) {
            byte[] head = (version + " " + status + " Scripted\r\n" + headers + framing + "\r\n").getBytes(UTF_8);
            byte[] all = Arrays.copyOf(head, head.length + content.length);
            System.arraycopy(content, 0, all, head.length, content.length);
            return all;
        }

        byte[] bytes() {
            return framed("HTTP/1.1", status == 204 ? "" : "Content-Length: " + body.length + "\r\n", body);
        }

        /** Cut within the body, or, when there is none, within the headers. */
        byte[] firstHalf() {
            byte[] all = bytes();
            return Arrays.copyOf(all, body.length == 0 ? all.length / 2 : all.length - body.length + body.length / 2);
        }

        byte[] chunked() {
            String chunk = Integer.toHexString(Math.max(1, body.length)) + "\r\n"
                    + (body.length == 0 ? " " : new String(body, UTF_8)) + "\r\n";
            Answer framed = status == 204 ? new Answer(200, headers, body) : this;
            return framed.framed("HTTP/1.1", "Transfer-Encoding: chunked\r\n", chunk.getBytes(UTF_8));
        }

        byte[] version10() {
            return framed("HTTP/1.0", "", body);
        }
    }
}
