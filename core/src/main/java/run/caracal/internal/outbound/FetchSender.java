package run.caracal.internal.outbound;

import java.net.URI;
import java.net.URISyntaxException;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.error.AuthorityRevokedException;
import run.caracal.error.CaracalException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundPolicy;
import run.caracal.http.Propagation;
import run.caracal.internal.Calls;
import run.caracal.internal.Headers;
import run.caracal.internal.propagation.HeaderMap;
import run.caracal.internal.wire.ErrorAnswers;

/** Sends the calls of {@code fetch}. */
public final class FetchSender {
    private final OutboundDecider outbound;
    private final HttpTransport transport;

    public FetchSender(OutboundDecider outbound, HttpTransport transport) {
        this.outbound = outbound;
        this.transport = transport;
    }

    /** Sends a request: at most once for each subscription. */
    public Mono<HttpResponse> fetch(FetchSpec request) {
        String url = outbound.gatewayUrl(request.resource(), request.path());
        URI address = sendable(url);
        OutboundPolicy policy =
                outbound.policy(request.transport().withPropagation(Propagation.gatewayOnly()), request.approvalId());
        return Calls.sealed(Mono.deferContextual(context -> {
                    outbound.requireCallable(request.resource(), request.transport(), context);
                    return policy.resolve(url, request.resource(), identified(request, context));
                })
                .flatMap(decision -> Mono.defer(() -> {
                            HttpRequest sent = request(
                                    request,
                                    decision,
                                    decision.url().equals(url) ? address : URI.create(decision.url()));
                            return transport
                                    .exchange(sent)
                                    .switchIfEmpty(Mono.error(() -> ErrorAnswers.none(sent)))
                                    .map(answer -> {
                                        CaracalException failure = failure(request.resource(), sent, answer);
                                        // The first end counts, because the status alone does not show that the answer
                                        // is a failure.
                                        decision.ended(answer.status(), failure);
                                        decision.answered(
                                                answer.status(),
                                                name -> answer.header(name).orElse(null));
                                        if (failure != null) {
                                            throw failure;
                                        }
                                        return answer;
                                    });
                        })
                        // The first end counts, so an error answer stays one with its status.
                        .doOnError(error -> decision.ended(0, error))
                        .doOnCancel(() -> decision.ended(0, null))));
    }

    private static @Nullable CaracalException failure(String resource, HttpRequest sent, HttpResponse answer) {
        CaracalException refused = ErrorAnswers.gateway(sent, answer, Instant.now());
        return refused == null
                        && answer.trailer(Headers.REVOKED)
                                .filter(Boolean::parseBoolean)
                                .isPresent()
                ? new AuthorityRevokedException(
                        resource, answer.header(Headers.REQUEST_ID).orElse(null))
                : refused;
    }

    private static URI sendable(String url) {
        try {
            return new URI(url);
        } catch (URISyntaxException e) {
            // Without the cause, whose message contains the query.
            throw new IllegalArgumentException(
                    "path holds a character that cannot be sent as it is; percent-encode it");
        }
    }

    private static ContextView identified(FetchSpec request, ContextView context) {
        return request.requestId() == null
                ? context
                : Context.of(context).put(OutboundPolicy.REQUEST_ID, request.requestId());
    }

    private static HttpRequest request(FetchSpec request, OutboundDecision decision, URI address) {
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        headers.putAll(request.headers());
        headers.put(Headers.RESOURCE, request.resource());
        decision.edit(new HeaderMap(headers));
        return new HttpRequest(
                request.method(), address, headers, request.bytes(), request.timeout(), request.maxResponseBytes());
    }
}
