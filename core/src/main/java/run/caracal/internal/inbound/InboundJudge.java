package run.caracal.internal.inbound;

import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.util.context.Context;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ConfigurationException;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.event.CaracalEvent;
import run.caracal.event.CaracalEvent.InboundRequest.ActsAs;
import run.caracal.http.InboundDecision;
import run.caracal.http.InboundPolicy;
import run.caracal.internal.Calls;
import run.caracal.internal.Ids;
import run.caracal.internal.Supplied;
import run.caracal.internal.context.BoundContext;
import run.caracal.internal.context.Provenance;
import run.caracal.internal.event.EventBus;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.propagation.Envelope;
import run.caracal.internal.propagation.IncomingHeaders;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.MandateVerifier;
import run.caracal.verify.VerifiedMandate;

/** Verifies incoming requests, for all adapters of one client. */
public final class InboundJudge {
    /** In lower case, because a header lookup may be case-sensitive. */
    private static final String AUTHORIZATION = "authorization";

    private static final String BEARER = "bearer";

    /** The platform's own limit. */
    private static final int MAX_BEARER = 4096;

    /** A bearer, its scheme, and a few blanks. */
    private static final int MAX_AUTHORIZATION = MAX_BEARER + 64;

    /** The characters of a bearer besides letters and digits (RFC 6750). */
    private static final String BEARER_MARKS = "-._~+/";

    private final CaracalConfig config;
    private final EventBus events;
    private final Scope client;
    private final ClientState state;

    /**
     * Creates the judge of a client.
     *
     * @param client by what the client is told from others, which may not act under what it has judged
     */
    public InboundJudge(CaracalConfig config, EventBus events, Scope client, ClientState state) {
        this.config = config;
        this.events = events;
        this.client = client;
        this.state = state;
    }

    /** The identity of the handler; {@code null} for an anonymous request. */
    private record Admitted(ActsAs as, @Nullable BoundContext context, boolean mismatch) implements InboundDecision {
        @Override
        public Context bind(Context view) {
            return context == null ? view.delete(BoundContext.class) : context.bind(view);
        }
    }

    /**
     * Makes the policy of a boundary.
     *
     * @throws ConfigurationException in production, if requests are not verified and the boundary is not trusted
     */
    public InboundPolicy policy(BoundarySpec boundary) {
        if (config.production() && !boundary.isTrusted()) {
            throw new ConfigurationException(List.of(new ConfigurationException.Problem(
                    "boundary",
                    "the boundary of incoming requests",
                    "in production requests have to be proven; choose Boundary.verified(...), or state with "
                            + "trusted() that something in front of this service has done it")));
        }
        return headers -> {
            Objects.requireNonNull(headers, "headers");
            Mono<Admitted> judged = Mono.defer(() -> {
                state.requireOpen();
                return judge(boundary, headers);
            });
            return Calls.sealed(events.observe(
                            CaracalEvent.InboundRequest.class,
                            judged,
                            (admitted, completion) -> new CaracalEvent.InboundRequest(
                                    admitted == null ? ActsAs.NOBODY : admitted.as(),
                                    admitted != null && admitted.mismatch(),
                                    completion))
                    .map(admitted -> admitted));
        };
    }

    private Mono<Admitted> judge(BoundarySpec boundary, Function<String, List<String>> headers) {
        String bearer = bearer(IncomingHeaders.lines(headers, AUTHORIZATION));
        if (bearer == null) {
            return switch (boundary.missing()) {
                case REFUSED ->
                    Mono.error(new InboundException(
                            Reason.MISSING_TOKEN,
                            "The request has no bearer token",
                            "Send one in the Authorization header",
                            null));
                case PASSES -> Mono.just(new Admitted(ActsAs.NOBODY, null, false));
                case RUNS_AS_APPLICATION ->
                    Mono.just(new Admitted(
                            ActsAs.APPLICATION,
                            received(
                                    config.zoneId(),
                                    config.applicationId(),
                                    IncomingHeaders.read(headers).traceOnly(),
                                    null,
                                    null),
                            false));
            };
        }
        Envelope said = IncomingHeaders.read(headers);
        MandateVerifier verifier = boundary.verifier();
        if (verifier == null) {
            return Mono.just(new Admitted(
                    ActsAs.CALLER_UNPROVEN,
                    received(config.zoneId(), config.applicationId(), said, bearer, null),
                    false));
        }
        return verified(verifier, bearer, boundary.requirements())
                .switchIfEmpty(Mono.error(() -> new IllegalStateException("the verifier gave no answer")))
                // A verifier that cannot decide has not denied the request.
                .onErrorMap(e -> e instanceof InboundException
                        ? e
                        : new InboundException(
                                Reason.VERIFIER_UNAVAILABLE, "The bearer token could not be judged", "Try again", e))
                .map(mandate -> {
                    Envelope proven = proven(mandate, said);
                    return new Admitted(
                            ActsAs.CALLER,
                            received(mandate.zoneId(), mandate.applicationId(), proven, bearer, mandate),
                            contradicts(said, proven));
                });
    }

    /** The SDK's own verifier bounds its fetches and questions itself, and has nothing to wait for mostly. */
    private static Mono<VerifiedMandate> verified(
            MandateVerifier verifier, String bearer, MandateRequirements requirements) {
        return verifier instanceof JwksMandateVerifier
                ? verifier.verify(bearer, requirements)
                : Supplied.ask(
                        "The verifier",
                        () -> verifier.verify(bearer, requirements),
                        Supplied.LIMIT,
                        Schedulers.parallel());
    }

    private BoundContext received(
            String zone,
            String application,
            Envelope envelope,
            @Nullable String bearer,
            @Nullable VerifiedMandate mandate) {
        // A session id that is malformed is rejected, even if a verifier accepts it.
        boolean ours = mandate != null
                && mandate.zoneId().equals(config.zoneId())
                && mandate.applicationId().equals(config.applicationId())
                && Ids.isValid(envelope.agentSessionId());
        return new BoundContext(
                zone, application, envelope, null, new Provenance.Received(client, bearer, mandate, ours), false);
    }

    /** The claims, in the trace of the request. */
    private static Envelope proven(VerifiedMandate mandate, Envelope said) {
        return Envelope.builder()
                .agentSessionId(mandate.agentSessionId().orElse(null))
                .delegationEdgeId(mandate.delegationEdgeId().orElse(null))
                .parentEdgeId(parentEdge(mandate))
                .authorityRecordId(mandate.authorityRecordId())
                .hop(mandate.hopCount())
                .build()
                .inTraceOf(said);
    }

    private static @Nullable String parentEdge(VerifiedMandate mandate) {
        List<String> path = mandate.delegationPath();
        return mandate.delegationEdgeId().isPresent() && path.size() > 1 ? path.get(path.size() - 2) : null;
    }

    /** Whether the baggage contradicts the claims; missing members do not. */
    private static boolean contradicts(Envelope said, Envelope proven) {
        return differs(said.agentSessionId(), proven.agentSessionId())
                || differs(said.delegationEdgeId(), proven.delegationEdgeId())
                || differs(said.parentEdgeId(), proven.parentEdgeId())
                || differs(said.authorityRecordId(), proven.authorityRecordId())
                || (said.hop() > 0 && said.hop() != proven.hop());
    }

    private static boolean differs(@Nullable String said, @Nullable String proven) {
        return said != null && !said.equals(proven);
    }

    /** The token of the Authorization header; {@code null} when there is none, or one of another scheme. */
    private static @Nullable String bearer(List<String> lines) {
        if (lines.isEmpty()) {
            return null;
        }
        if (lines.size() > 1) {
            throw new InboundException(
                    Reason.INVALID_TOKEN,
                    "The request has more than one Authorization header",
                    "Send one of them",
                    null);
        }
        String line = lines.get(0);
        if (line.length() <= MAX_AUTHORIZATION) {
            line = line.strip();
        }
        if (!line.regionMatches(true, 0, BEARER, 0, BEARER.length())
                || (line.length() > BEARER.length() && line.charAt(BEARER.length()) > ' ')) {
            return null;
        }
        if (line.length() > MAX_AUTHORIZATION) {
            throw tooLong();
        }
        int start = BEARER.length();
        while (start < line.length() && line.charAt(start) == ' ') {
            start++;
        }
        String token = line.substring(start);
        if (token.length() > MAX_BEARER) {
            throw tooLong();
        }
        if (!isToken(token)) {
            throw new InboundException(Reason.INVALID_TOKEN, "The Authorization header holds no bearer token");
        }
        return token;
    }

    private static InboundException tooLong() {
        return new InboundException(
                Reason.INVALID_TOKEN, "The bearer token is longer than " + MAX_BEARER + " characters");
    }

    private static boolean isToken(String text) {
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == '=') {
            end--;
        }
        for (int i = 0; i < end; i++) {
            char c = text.charAt(i);
            boolean alphanumeric = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
            if (!alphanumeric && BEARER_MARKS.indexOf(c) < 0) {
                return false;
            }
        }
        return end > 0;
    }
}
