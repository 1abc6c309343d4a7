package run.caracal.examples;

import java.io.PrintStream;
import java.time.Duration;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import reactor.util.context.Context;
import run.caracal.Acceptance;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.DelegationSpec;
import run.caracal.GatewayRequest;
import run.caracal.Grant;
import run.caracal.SpawnOptions;
import run.caracal.error.CoordinatorException;
import run.caracal.examples.Deployment.Peer;
import run.caracal.http.TransportOptions;
import run.caracal.netty.CaracalHttp;

/**
 * Authority shrinks with each delegation: to a narrowed child, to its own child, and to a peer in another application, which
 * owns the resource of the delegation.
 */
final class DelegationExample {
    private final Deployment deployment;
    private final String granted;
    private final String withheld;
    private final Caracal caracal;
    private final @Nullable Peer other;
    private final PrintStream out;

    private DelegationExample(Deployment deployment, PrintStream out) {
        this.deployment = deployment;
        this.granted = deployment.scope();
        this.withheld = deployment.otherScope();
        this.caracal = deployment.caracal();
        this.other = deployment.peer().orElse(null);
        this.out = out;
    }

    static void run(PrintStream out) {
        try (Deployment deployment = Deployment.open()) {
            new DelegationExample(deployment, out).story().block(Duration.ofSeconds(60));
        }
    }

    private Mono<Void> story() {
        return caracal.spawn(parent -> {
                    out.println("parent " + parent.agentSessionId() + " opened");
                    return narrowedChild().then(peer(parent));
                })
                .then(Mono.fromRunnable(() -> out.println("parent closed")));
    }

    /** The child gets one scope of the resource, and may delegate it once more. */
    private Mono<Void> narrowedChild() {
        return caracal.spawn(narrowed(2, granted), child -> {
            out.println("child " + child.agentSessionId() + " opened, narrowed to " + granted);
            return caracal.describeAuthority()
                    .doOnNext(out::println)
                    .then(charge(caracal, deployment.resourceId(), deployment.resourcePath(), granted))
                    .then(withinItsLimits())
                    .then(beyondItsLimits());
        });
    }

    private Mono<Void> withinItsLimits() {
        return caracal.spawn(narrowed(1, granted), grandchild -> {
            out.println("child passed " + granted + " on to " + grandchild.agentSessionId());
            return Mono.empty();
        });
    }

    private Mono<Void> beyondItsLimits() {
        return caracal.<Void>spawn(narrowed(1, granted, withheld), grandchild -> {
                    out.println("child passed on more than it was given");
                    return Mono.empty();
                })
                .onErrorResume(CoordinatorException.class, refused -> {
                    out.println("child may not pass on " + withheld + ": refused " + refused.httpStatus() + " "
                            + refused.code());
                    return Mono.empty();
                });
    }

    /** The peer is a separate program; the two exchange only the ids of its session and of the delegation. */
    private Mono<Void> peer(CaracalContext parent) {
        Peer owner = this.other;
        if (owner == null) {
            out.println("No peer: set " + Deployment.PEER_VARIABLES + " to see one");
            return Mono.empty();
        }
        Caracal other = owner.client();
        // Mints require a role: here the application's own, which the label with its id gives to the session.
        SpawnOptions own =
                SpawnOptions.builder().labels(deployment.peerApplicationId()).build();
        return other.<Void>spawn(own, peer -> {
                    out.println("peer " + peer.agentSessionId() + " of " + peer.applicationId() + " opened");
                    return caracal.bind(parent, delegateTo(peer, owner))
                            .flatMap(edge -> other.acceptDelegation(edge, Acceptance.VALIDATED, accepted -> {
                                        out.println("peer accepted delegation " + edge);
                                        return charge(other, owner.resource(), owner.path(), owner.scope());
                                    })
                                    .then(revoke(edge)));
                })
                .contextWrite(nothingOfOurs -> Context.empty());
    }

    private Mono<String> delegateTo(CaracalContext peer, Peer owner) {
        DelegationSpec spec = DelegationSpec.builder()
                .to(peer.agentSessionId(), peer.applicationId())
                .scopes(owner.scope())
                .resource(owner.resource())
                .ttl(Duration.ofMinutes(5))
                .build();
        return caracal.createDelegation(spec).map(delegation -> {
            out.println("parent delegated " + String.join(" ", delegation.scopes()) + " as "
                    + delegation.delegationEdgeId());
            return delegation.delegationEdgeId();
        });
    }

    private Mono<Void> revoke(String edge) {
        return caracal.revokeDelegation(edge)
                .doOnSuccess(
                        done -> out.println("parent revoked delegation " + edge + ", which ends the peer's session"));
    }

    private Mono<Void> charge(Caracal client, String resource, String path, String scope) {
        GatewayRequest request = client.gatewayRequest(resource, path);
        TransportOptions charging = TransportOptions.defaults().withScopes(scope);
        return Charge.with(CaracalHttp.decorate(HttpClient.create(), client, charging), request)
                .doOnNext(answer -> {
                    out.println("gateway " + answer.status() + " " + answer.requestId());
                    deployment.explain(answer.requestId(), out);
                })
                .then();
    }

    /** Labelled as the application, because another label would have to be a role of the resource. */
    private SpawnOptions narrowed(int hops, String... scopes) {
        return SpawnOptions.builder()
                .grant(Grant.narrow(scopes)
                        .resource(deployment.resourceId())
                        .constraints(limits -> limits.maxHops(hops))
                        .ttl(Duration.ofMinutes(hops)))
                .build();
    }
}
