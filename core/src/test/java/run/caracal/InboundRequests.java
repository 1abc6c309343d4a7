package run.caracal;

import java.time.Instant;
import java.util.Map;
import java.util.function.UnaryOperator;
import reactor.core.publisher.Mono;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.verify.MandateVerifier;
import run.caracal.verify.VerifiedMandate;

/** Requests for tests of the boundary, and verifiers that map bearers to mandates without a signature. */
public final class InboundRequests {
    public static final String TRACE = "4bf92f3577b34da6a3ce929d0e0e4736";
    public static final String TRACEPARENT = "00-" + TRACE + "-00f067aa0ba902b7-01";

    /** The headers of an honest caller in session {@code s-9}. */
    public static final Map<String, String> HEADERS = Map.of(
            "Authorization",
            "Bearer caller-token",
            "Traceparent",
            TRACEPARENT,
            "Tracestate",
            "vendor=1",
            "Baggage",
            "tenant=acme,caracal.agent_session=s-9,caracal.delegation_edge=e-9,caracal.parent_edge=e-8,"
                    + "caracal.session=rec-9,caracal.hop=2");

    private InboundRequests() {}

    /** A mandate of zone {@code zone-1} and application {@code app-9}, without a session unless it is given one. */
    public static VerifiedMandate mandate(UnaryOperator<VerifiedMandate.Builder> claims) {
        return claims.apply(VerifiedMandate.builder()
                        .zoneId("zone-1")
                        .applicationId("app-9")
                        .subject("app-9", VerifiedMandate.SubjectType.APPLICATION)
                        .authorityRecordId("rec-1")
                        .rootAuthorityRecordId("rec-1")
                        .use(VerifiedMandate.Use.RESOURCE)
                        .jti("jti-1")
                        .issuedAt(Instant.EPOCH)
                        .expiresAt(Instant.EPOCH.plusSeconds(900)))
                .build();
    }

    /** Takes every bearer for this mandate. */
    public static MandateVerifier proving(UnaryOperator<VerifiedMandate.Builder> claims) {
        return (bearer, requirements) -> Mono.fromSupplier(() -> mandate(claims));
    }

    /** Takes {@code token-of-x} for a mandate of session {@code x}, and refuses all else. */
    public static MandateVerifier bySession() {
        return (bearer, requirements) -> bearer.startsWith("token-of-")
                ? Mono.fromSupplier(() -> mandate(m -> m.agentSessionId(bearer.substring("token-of-".length()))))
                : Mono.error(new InboundException(Reason.INVALID_TOKEN, "The signature is not the zone's"));
    }
}
