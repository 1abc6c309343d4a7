package run.caracal.platform;

import io.netty.buffer.ByteBuf;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.netty.Connection;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;

/** One request, its answer, and its fault. */
final class Call {

    /** How long an unused body is drained before the connection is closed instead. */
    private static final Duration UNWANTED = Duration.ofMillis(500);

    private final HttpServerRequest request;
    private final HttpServerResponse response;
    private final ReceivedRequest received;
    private final Body body;
    private final Fault fault;
    private volatile Reading reading;

    /** How much of the body was read. */
    private enum Reading {
        NOTHING,
        SOME,
        ALL
    }

    /** A call; its body is {@link Body#NONE} if it is not yet read. */
    Call(HttpServerRequest request, HttpServerResponse response, ReceivedRequest received, Body body, Fault fault) {
        this.request = request;
        this.response = response;
        this.received = received;
        this.body = body;
        this.fault = fault;
        this.reading = body == Body.NONE && hasBody() ? Reading.NOTHING : Reading.ALL;
    }

    String method() {
        return received.method();
    }

    /** The path as it was sent. */
    String path() {
        return received.path();
    }

    /** The query as it was sent; null when the URL has no question mark. */
    @Nullable
    String query() {
        int question = received.uri().indexOf('?');
        return question < 0 ? null : received.uri().substring(question + 1);
    }

    /** The fields of the query; none if it is absent or malformed. */
    Form queryFields() {
        String query = query();
        try {
            return Form.parse(query == null ? "" : query);
        } catch (IllegalArgumentException e) {
            return Form.parse("");
        }
    }

    Optional<String> header(String name) {
        return received.header(name);
    }

    List<String> headers(String name) {
        return received.headers(name);
    }

    HttpHeaders requestHeaders() {
        return request.requestHeaders();
    }

    /** The body, for servers that buffer it. */
    Body body() {
        return body;
    }

    /** The body as a stream, for the Gateway. */
    Flux<ByteBuf> bodyStream() {
        return request.receive()
                .doOnSubscribe(subscription -> reading = Reading.SOME)
                .doOnComplete(() -> reading = Reading.ALL);
    }

    /** Whether the request announces a body. */
    boolean hasBody() {
        return header("transfer-encoding").isPresent()
                || header("content-length")
                        .filter(length -> !length.equals("0"))
                        .isPresent();
    }

    String clientAddress() {
        InetSocketAddress address = request.remoteAddress();
        return address == null || address.getAddress() == null
                ? "unknown"
                : address.getAddress().getHostAddress();
    }

    /** Drains an unused body before answering, so that the connection can serve the next request. */
    Mono<Void> send(Answer answer) {
        return Mono.defer(() -> switch (reading) {
            case ALL -> write(answer);
            case SOME -> write(answer.with("Connection", "close"));
            case NOTHING ->
                bodyStream()
                        .then(Mono.just(answer))
                        .timeout(UNWANTED, Mono.just(answer.with("Connection", "close")))
                        .flatMap(this::write);
        });
    }

    private Mono<Void> write(Answer answer) {
        return reply(() -> {
            response.status(answer.status());
            answer.headers().forEach(response.responseHeaders()::set);
            if (answer.status() == 413) {
                response.responseHeaders().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
            }
            if (answer.status() == 204 || answer.status() == 304) {
                return response.send();
            }
            response.responseHeaders().set(HttpHeaderNames.CONTENT_LENGTH, answer.body().length);
            return answer.body().length == 0 ? response.send() : response.sendByteArray(Mono.just(answer.body()));
        });
    }

    /** Answers without a body, regardless of its headers. */
    Mono<Void> head(int status, HttpHeaders headers) {
        return reply(() -> {
            response.status(status);
            response.responseHeaders().add(headers);
            if (status == 304) {
                response.responseHeaders().remove(HttpHeaderNames.CONTENT_TYPE);
            }
            return response.chunkedTransfer(false).send();
        });
    }

    /**
     * Answers with a streamed body, flushing each piece.
     *
     * @param trailers adds the trailers of a chunked answer, which its {@code Trailer} header announces
     */
    Mono<Void> stream(int status, HttpHeaders headers, Flux<ByteBuf> content, Consumer<HttpHeaders> trailers) {
        if (fault.kind() == Fault.Kind.DROP_RESPONSE) {
            return content.doOnNext(ByteBuf::release).then(abort());
        }
        // Reactor Netty leaks a piece if the connection closes while the content, on its own thread, calls
        // onSubscribe.
        Flux<ByteBuf> begun = Flux.concat(Flux.empty(), content);
        return reply(() -> {
                    response.status(status);
                    response.responseHeaders().add(headers);
                    return response.trailerHeaders(trailers).send(begun, piece -> true);
                })
                .subscribeOn(loop(request));
    }

    /** The event loop of a request's connection; tasks after its close are dropped. */
    static Scheduler loop(HttpServerRequest request) {
        return Schedulers.fromExecutor(task -> request.withConnection(connection -> {
            if (connection.channel().isRegistered()) {
                connection.channel().eventLoop().execute(task);
            }
        }));
    }

    /** Passes the request to a plain handler of Reactor Netty. */
    Mono<Void> handOver(
            BiFunction<? super HttpServerRequest, ? super HttpServerResponse, ? extends Publisher<Void>> handler) {
        return reply(() -> handler.apply(request, response));
    }

    /** Closes the connection without an answer. */
    Mono<Void> abort() {
        return Mono.defer(() -> {
            response.withConnection(Connection::dispose);
            return Mono.never();
        });
    }

    private interface Reply {
        Publisher<Void> send();
    }

    private Mono<Void> reply(Reply reply) {
        if (fault.kind() == Fault.Kind.DROP_RESPONSE) {
            return abort();
        }
        Mono<Void> sent = Mono.defer(() -> Mono.from(reply.send()));
        Duration delay = fault.kind() == Fault.Kind.DELAY_RESPONSE ? fault.delay() : Duration.ZERO;
        return delay.isZero() ? sent : sent.delaySubscription(delay);
    }
}
