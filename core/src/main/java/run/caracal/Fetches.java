package run.caracal;

import java.net.URI;
import java.net.URISyntaxException;
import java.time.Instant;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BooleanSupplier;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundPolicy;
import run.caracal.http.Propagation;
import run.caracal.internal.wire.ErrorAnswers;

/** Calls of protected resources that the SDK sends itself. */
final class Fetches {
    private static final int FIRST_ERROR = 400;

    private final Outbound outbound;
    private final TrafficTransport transport;
    private final BooleanSupplier closed;

    Fetches(Outbound outbound, TrafficTransport transport, BooleanSupplier closed) {
        this.outbound = outbound;
        this.transport = transport;
        this.closed = closed;
    }

    /**
     * Sends a request: at most once for each subscription.
     *
     * @param target where it goes, as the caller would have got it
     */
    Mono<HttpResponse> fetch(FetchRequest request, GatewayRequest target) {
        requireSendable(target.url());
        OutboundPolicy policy = outbound.policy(
                request.transport().withPropagation(Propagation.gatewayOnly()),
                request.approvalId().orElse(null),
                closed);
        return Mono.deferContextual(
                        context -> policy.resolve(target.url(), target.resource(), identified(request, context)))
                .flatMap(decision -> Mono.defer(() -> {
                            HttpRequest sent = request(request, target, decision);
                            return transport
                                    .get()
                                    .flatMap(http -> http.exchange(sent))
                                    .map(answer -> {
                                        decision.ended(answer.status(), null);
                                        if (answer.status() >= FIRST_ERROR) {
                                            throw ErrorAnswers.gateway(sent, answer, Instant.now());
                                        }
                                        return answer;
                                    });
                        })
                        // The first end counts, so an error answer stays one with its status.
                        .doOnError(error -> decision.ended(0, error))
                        .doOnCancel(() -> decision.ended(0, null)));
    }

    private static void requireSendable(String url) {
        try {
            var unused = new URI(url);
        } catch (URISyntaxException e) {
            // Without the exception: it repeats the address with its query.
            throw new IllegalArgumentException(
                    "path holds a character that cannot be sent as it is; percent-encode it");
        }
    }

    private static ContextView identified(FetchRequest request, ContextView context) {
        return request.requestId()
                .<ContextView>map(id -> Context.of(context).put(OutboundPolicy.REQUEST_ID, id))
                .orElse(context);
    }

    private static HttpRequest request(FetchRequest request, GatewayRequest target, OutboundDecision decision) {
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        headers.putAll(request.headers());
        headers.putAll(target.headers());
        decision.edit(new MapHeaders(headers));
        return new HttpRequest(
                request.method(),
                URI.create(decision.url()),
                headers,
                request.body(),
                request.timeout(),
                request.maxResponseBytes());
    }
}
