package run.caracal.netty;

import java.net.URI;
import java.util.ArrayList;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.util.context.ContextView;
import run.caracal.error.NoContextException;
import run.caracal.error.RoutingException;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundHeaders;
import run.caracal.http.OutboundPolicy;

/**
 * A policy for tests: everything under {@code https://billing.example.com} is routed to the gateway, the gateway's own
 * origin gets an identity, every other origin is left alone. The user is the value of {@code "user"} in the Context; each
 * resolution mints a bearer of its own, {@code user.n}.
 */
public final class TestPolicy implements OutboundPolicy {
    public static final String BOUND = "https://billing.example.com";

    public final AtomicInteger minted = new AtomicInteger();
    public final Queue<String> askedUrls = new ConcurrentLinkedQueue<>();
    public final Queue<String> askedResources = new ConcurrentLinkedQueue<>();
    private final String gateway;
    private final boolean later;

    public TestPolicy(String gateway) {
        this(gateway, false);
    }

    private TestPolicy(String gateway, boolean later) {
        this.gateway = gateway;
        this.later = later;
    }

    /** The same policy, but its answers have to be waited for. */
    public TestPolicy answeringLater() {
        return new TestPolicy(gateway, true);
    }

    /** Gives every request the same Authorization, wherever it goes. */
    static OutboundPolicy authorizing(String authorization) {
        return (url, resource, context) -> Mono.just(new OutboundDecision() {
            @Override
            public String url() {
                return url;
            }

            @Override
            public boolean carriesIdentity() {
                return true;
            }

            @Override
            public void edit(OutboundHeaders headers) {
                headers.set("Authorization", authorization);
            }
        });
    }

    @Override
    public Mono<OutboundDecision> resolve(String url, @Nullable String resource, ContextView context) {
        askedUrls.add(url);
        if (resource != null) {
            askedResources.add(resource);
        }
        boolean routed = url.startsWith(BOUND + "/");
        if (!routed && !url.equals(gateway) && !url.startsWith(gateway + "/")) {
            return answer(new Call(url, null, null));
        }
        String user = context.getOrDefault("user", null);
        if (user == null) {
            return Mono.error(new NoContextException("no context; bind one, or act as the application"));
        }
        String target = routed
                ? gateway + url.substring(BOUND.length())
                : URI.create(url).toString();
        String bearer = user + "." + minted.incrementAndGet();
        return answer(new Call(target, bearer, resource != null ? resource : routed ? "resource://billing" : null));
    }

    private Mono<OutboundDecision> answer(OutboundDecision call) {
        return later ? Mono.defer(() -> Mono.just(call)).hide() : Mono.just(call);
    }

    private record Call(
            String url, @Nullable String bearer, @Nullable String resource) implements OutboundDecision {
        @Override
        public boolean carriesIdentity() {
            return bearer != null;
        }

        @Override
        public void edit(OutboundHeaders headers) {
            if (bearer == null) {
                headers.remove("X-Caracal-Resource");
                return;
            }
            if (headers.getAll("X-Caracal-Resource").contains("resource://unknown")) {
                throw new RoutingException("unknown resource");
            }
            headers.set("Authorization", "Bearer " + bearer);
            if (resource != null) {
                headers.set("X-Caracal-Resource", resource);
            }
            if (headers.getAll("X-Request-Id").isEmpty()) {
                headers.set("X-Request-Id", "request-" + bearer);
            }
            if (headers.getAll("traceparent").isEmpty()) {
                headers.set("traceparent", "00-" + "1".repeat(32) + "-" + "2".repeat(16) + "-01");
            }
            List<String> members = new ArrayList<>();
            headers.getAll("baggage").stream()
                    .flatMap(value -> List.of(value.split(",")).stream())
                    .filter(member -> !member.startsWith("caracal."))
                    .forEach(members::add);
            members.add("caracal.session=" + bearer);
            headers.set("baggage", String.join(",", members));
        }
    }
}
