package run.caracal.netty.internal;

import java.util.List;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.util.context.ContextView;
import run.caracal.Caracal;
import run.caracal.GatewayRequest;
import run.caracal.error.RoutingException;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundHeaders;
import run.caracal.http.OutboundPolicy;
import run.caracal.http.Propagation;
import run.caracal.http.TransportOptions;

/**
 * Calls one resource through the Gateway, and nothing else.
 *
 * @param policy decides about the requests that go there
 * @param resource the resource that all of them name
 * @param base where it is at the Gateway, with a slash at its end
 */
public record ResourcePolicy(OutboundPolicy policy, String resource, String base) implements OutboundPolicy {

    /**
     * Makes the policy of one resource.
     *
     * @param options scopes, labels, and whether the application itself may act
     */
    public static ResourcePolicy of(Caracal caracal, String resource, TransportOptions options) {
        GatewayRequest root = caracal.gatewayRequest(resource, "/");
        return new ResourcePolicy(
                caracal.outbound(options.withPropagation(Propagation.gatewayOnly())), resource, root.url());
    }

    @Override
    public Mono<OutboundDecision> resolve(String url, @Nullable String named, ContextView context) {
        if (!url.startsWith(base) || (named != null && !named.isEmpty() && !named.equals(resource))) {
            return Mono.error(elsewhere());
        }
        Mono<OutboundDecision> resolved = policy.resolve(url, resource, context);
        return resolved.map(decision -> new Named(decision, resource));
    }

    private RoutingException elsewhere() {
        return new RoutingException("A client for one resource calls " + resource
                + " and nothing else, so nothing was sent. Give it a relative address that begins with a slash, and use "
                + "another client for the rest");
    }

    /** Names the resource at the last moment, where a caller cannot name another one any more. */
    private record Named(OutboundDecision decision, String resource) implements OutboundDecision {
        @Override
        public String url() {
            return decision.url();
        }

        @Override
        public boolean carriesIdentity() {
            return decision.carriesIdentity();
        }

        @Override
        public void edit(OutboundHeaders headers) {
            List<String> selected = headers.getAll(GatewayRequest.RESOURCE_HEADER);
            if (selected.stream().anyMatch(other -> !other.equals(resource))) {
                throw new RoutingException(GatewayRequest.RESOURCE_HEADER + " names another resource than " + resource
                        + ", the only one that this client calls, so nothing was sent. Leave the header out");
            }
            headers.set(GatewayRequest.RESOURCE_HEADER, resource);
            decision.edit(headers);
        }

        @Override
        public boolean ownsAuthorization() {
            return decision.ownsAuthorization();
        }

        @Override
        public boolean isObserved() {
            return decision.isObserved();
        }

        @Override
        public void answered(int status, Function<String, @Nullable String> header) {
            decision.answered(status, header);
        }

        @Override
        public void ended(int status, @Nullable Throwable error) {
            decision.ended(status, error);
        }
    }
}
