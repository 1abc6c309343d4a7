package run.caracal.examples;

import java.io.PrintStream;
import java.time.Duration;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;
import run.caracal.GatewayRequest;
import run.caracal.ServiceAgent;
import run.caracal.ServiceOptions;
import run.caracal.error.LeaseLostException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.netty.CaracalHttp;
import run.caracal.platform.LocalPlatform;

/**
 * A billing worker that runs until SIGTERM: it renews its lease, and opens a new service when the lease is lost. On its own
 * local platform it survives a restart of the Coordinator, and is then taken over by a second worker.
 */
final class Daemon {
    private static final ServiceOptions OPTIONS = ServiceOptions.builder()
            .labels("billing-worker")
            .heartbeatInterval(Duration.ofSeconds(1))
            .reopen(Duration.ofSeconds(1))
            .build();

    private final Deployment deployment;
    private final PrintStream out;
    private final Sinks.One<String> opened = Sinks.one();
    private final Mono<Void> stopped;

    private Daemon(Deployment deployment, PrintStream out, Mono<Void> stopped) {
        this.deployment = deployment;
        this.out = out;
        this.stopped = stopped;
    }

    static void run(PrintStream out) {
        try (Termination termination = new Termination();
                Deployment deployment = Deployment.open()) {
            new Daemon(deployment, out, termination.requested()).live().block();
        }
    }

    private Mono<Void> live() {
        Caracal first = deployment.caracal();
        // A second process would create its client in the same way.
        return deployment
                .platform()
                .map(platform -> Mono.when(work(first), trouble(platform, deployment.another())))
                .orElseGet(() -> work(first));
    }

    /**
     * A complete daemon: leases are renewed in the background, a new session replaces one that has ended, and the end of the
     * work closes it. Only a takeover ends the daemon from outside.
     */
    private Mono<Void> work(Caracal caracal) {
        report("first", caracal);
        return caracal.runService(OPTIONS, agent -> {
                    out.println("first: session " + agent.agentSessionId() + " opened");
                    var unused = opened.tryEmitValue(agent.agentSessionId());
                    return invoices("first", caracal).takeUntilOther(stopped);
                })
                .doOnComplete(() -> out.println("first: session closed"))
                .onErrorResume(LeaseLostException.class, lost -> {
                    out.println("first: stopped, " + lost.getMessage());
                    return Mono.empty();
                })
                .then();
    }

    private Mono<Void> trouble(LocalPlatform platform, Caracal other) {
        Mono<Void> restart = Mono.defer(() -> {
            out.println("the Coordinator is down");
            return platform.restartCoordinator(Duration.ofSeconds(2))
                    .doOnSuccess(back -> out.println("the Coordinator is back"));
        });
        return opened.asMono()
                .flatMap(session -> Mono.delay(Duration.ofSeconds(4))
                        .then(restart)
                        .then(Mono.delay(Duration.ofSeconds(3)))
                        .then(takeOver(session, other)))
                .takeUntilOther(stopped);
    }

    /** The role of a second process, after a restart or in place of a hung one. */
    private Mono<Void> takeOver(String session, Caracal other) {
        report("second", other);
        return Flux.usingWhen(
                        other.attachService(session, OPTIONS),
                        agent -> {
                            out.println("second: took session " + agent.agentSessionId() + " over");
                            return agent.bind(invoices("second", other)).take(Duration.ofSeconds(4));
                        },
                        ServiceAgent::disposeLater)
                .doOnComplete(() -> out.println("second: session closed"))
                .then();
    }

    private Flux<Integer> invoices(String worker, Caracal caracal) {
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        GatewayRequest request = caracal.gatewayRequest(deployment.resourceId(), deployment.resourcePath());
        return Flux.interval(Duration.ofMillis(500), Duration.ofSeconds(2))
                .onBackpressureDrop()
                .concatMap(
                        invoice -> Charge.with(http, request)
                                .map(Charge.Answer::status)
                                .doOnNext(status -> out.println(worker + ": invoice charged, " + status)),
                        0);
    }

    private void report(String worker, Caracal caracal) {
        var unused = caracal.onEvent(event -> {
            if (event instanceof CaracalEvent.LeaseRenewed renewed) {
                Completion completion = renewed.completion();
                if (completion.outcome() == Completion.Outcome.SUCCESS) {
                    out.println(worker + ": lease renewed");
                } else if (completion.outcome() == Completion.Outcome.FAILURE) {
                    out.println(worker + ": lease not renewed (" + completion.code() + ")");
                }
            } else if (event instanceof CaracalEvent.LeaseLost lost) {
                out.println(worker + ": lease lost, " + lost.reason());
            }
        });
    }
}
