package run.caracal.examples;

import java.io.BufferedReader;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.netty.ByteBufFlux;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;
import run.caracal.GatewayRequest;
import run.caracal.error.ApprovalNotGrantedException;
import run.caracal.error.ApprovalRequiredException;
import run.caracal.netty.CaracalHttp;
import run.caracal.platform.LocalPlatform;

/**
 * A call that a person has to approve: it is held before it is sent, until the decision. On its own local platform the program
 * takes the decision at the terminal or on the console page, whichever comes first; against a deployment it is made in the
 * Console.
 */
final class Approval {
    private final Deployment deployment;
    private final PrintStream out;
    private final BufferedReader terminal;

    private Approval(Deployment deployment, PrintStream out, InputStream in) {
        this.deployment = deployment;
        this.out = out;
        this.terminal = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8));
    }

    static void run(PrintStream out, InputStream in) {
        try (Termination termination = new Termination();
                Deployment deployment = Deployment.open(billing -> billing.withApproval("high", "billing:charge"))) {
            new Approval(deployment, out, in)
                    .story()
                    .takeUntilOther(termination.requested())
                    .block();
        }
    }

    private Mono<Void> story() {
        Caracal caracal = deployment.caracal();
        HttpClient http = CaracalHttp.decorate(HttpClient.create(), caracal);
        GatewayRequest request = caracal.gatewayRequest(deployment.resourceId(), deployment.resourcePath());
        return caracal.<Charge.Answer>spawn(session -> {
                    out.println("session " + session.agentSessionId() + " opened");
                    Sinks.One<ApprovalRequiredException> held = Sinks.one();
                    Mono<Charge.Answer> charge = caracal.withApproval(approvalId -> Charge.with(http, request)
                            .doOnError(ApprovalRequiredException.class, e -> {
                                var unused = held.tryEmitValue(e);
                            }));
                    // The prompt is cancelled with the call, and its error fails the call; its completion does not end
                    // the call.
                    Mono<Void> person = held.asMono().flatMap(this::decide);
                    return charge.takeUntilOther(person.then(Mono.never()));
                })
                .doOnNext(answer -> {
                    out.println("gateway " + answer.status() + " " + answer.requestId());
                    deployment.explain(answer.requestId(), out);
                })
                .then()
                .onErrorResume(ApprovalNotGrantedException.class, refused -> {
                    out.println("refused " + refused.code() + ": " + refused.getMessage());
                    return Mono.empty();
                })
                .doOnSuccess(done -> out.println("session closed"));
    }

    private Mono<Void> decide(ApprovalRequiredException held) {
        out.println("held " + held.approvalId());
        String until = held.expiresAt().map(Instant::toString).orElse("unknown");
        out.println("  tier " + held.tier().orElse("unknown") + ", for "
                + held.resource().orElse("unknown") + ", until " + until);
        out.println("  binding " + binding(held));
        deployment.platform().flatMap(LocalPlatform::consoleUrl).ifPresent(url -> out.println("  console " + url));
        return deployment
                .platform()
                .map(platform -> answer().flatMap(yes -> decide(platform, held, yes)))
                .orElseGet(() -> Mono.fromRunnable(() -> out.println("decide in the Console; the call waits")));
    }

    private static String binding(ApprovalRequiredException held) {
        return held.binding().orElse("");
    }

    /** Reads a line on a thread that may block; end of input counts as no. */
    private Mono<Boolean> answer() {
        return Mono.fromCallable(() -> {
                    out.print("approve? [y/n] ");
                    out.flush();
                    return terminal.readLine();
                })
                .subscribeOn(Schedulers.boundedElastic())
                .map(line -> line.strip().equalsIgnoreCase("y"))
                .defaultIfEmpty(false);
    }

    /** An application for approvers, in which a user logs in and decides at the STS. */
    private Mono<Void> decide(LocalPlatform platform, ApprovalRequiredException held, boolean yes) {
        String decision =
                "{\"decision\":\"" + (yes ? "approved" : "rejected") + "\",\"binding\":\"" + binding(held) + "\"}";
        return Mono.fromCallable(() -> platform.idToken("alice@example.com"))
                .subscribeOn(Schedulers.boundedElastic())
                .flatMap(deployment.caracal()::federateSubject)
                .flatMap(user -> HttpClient.create()
                        .headers(headers -> headers.set("Authorization", "Bearer " + user.value())
                                .set("Content-Type", "application/json"))
                        .post()
                        .uri(platform.stsUrl() + "/approvals/" + held.approvalId() + "/decision")
                        .send(ByteBufFlux.fromString(Mono.just(decision)))
                        .responseSingle((response, body) -> response.status().code() == 200
                                ? body.asString()
                                : Mono.error(new IllegalStateException("the STS answered " + response.status()))))
                .then();
    }
}
