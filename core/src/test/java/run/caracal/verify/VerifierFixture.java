package run.caracal.verify;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.test.TestZone;
import run.caracal.vectors.VectorJson;

/** A zone, a verifier of its tokens, and a clock that stands still. */
final class VerifierFixture {
    static final Duration LIMIT = Duration.ofSeconds(10);
    static final String ISSUER = "https://sts.example.com";
    static final String AUDIENCE = "resource://api";

    /** Between the {@code iat} and the {@code exp} of the platform's own example, which are 300 seconds apart. */
    static final long NOW = 1_790_000_100;

    static final long ISSUED_AT = 1_790_000_000;
    static final long EXPIRES_AT = 1_790_000_300;

    final VirtualTimeScheduler time = VirtualTimeScheduler.create();
    final TestZone zone = new TestZone("kid-1");
    final InMemoryRevocationStore store = new InMemoryRevocationStore(time, 100);

    VerifierFixture() {
        time.advanceTimeTo(Instant.ofEpochSecond(NOW));
    }

    JwksMandateVerifier.Builder builder() {
        return JwksMandateVerifier.builder()
                .zoneId("zone-1")
                .issuer(ISSUER)
                .audience(AUDIENCE)
                .transport(zone)
                .revocations(store)
                .timer(time);
    }

    /** The claims of the platform's own example. */
    static Map<String, @Nullable Object> claims() {
        String path = "/interoperability/jwt-claims.resource.valid.json";
        try (InputStream file = Objects.requireNonNull(VerifierFixture.class.getResourceAsStream(path), path)) {
            Map<String, @Nullable Object> claims = new LinkedHashMap<>();
            ((Map<?, ?>) Objects.requireNonNull(VectorJson.parse(file.readAllBytes())))
                    .forEach((name, value) -> claims.put((String) name, value));
            return claims;
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static Map<String, @Nullable Object> with(String claim, @Nullable Object value) {
        Map<String, @Nullable Object> claims = claims();
        claims.put(claim, value);
        return claims;
    }

    static Map<String, @Nullable Object> without(String claim) {
        Map<String, @Nullable Object> claims = claims();
        assertThat(claims).containsKey(claim);
        claims.remove(claim);
        return claims;
    }

    /** Expects that the token is let in. */
    static VerifiedMandate accepted(MandateVerifier verifier, String token, MandateRequirements required) {
        return Objects.requireNonNull(verifier.verify(token, required).block(LIMIT));
    }

    /** Expects that the token is rejected, and that the error says nothing of it. */
    static InboundException refused(
            Reason reason, MandateVerifier verifier, String token, MandateRequirements required) {
        return refused(reason, token, verifier.verify(token, required), () -> {});
    }

    /** As the other, with an action during the verification. */
    static InboundException refused(
            Reason reason, String token, Mono<VerifiedMandate> verification, Runnable meanwhile) {
        AtomicReference<@Nullable InboundException> seen = new AtomicReference<>();
        StepVerifier.create(verification)
                .then(meanwhile)
                .expectErrorSatisfies(error -> {
                    assertThat(error).isInstanceOf(InboundException.class);
                    InboundException refusal = (InboundException) error;
                    assertThat(refusal.reason()).as(refusal.getMessage()).isEqualTo(reason);
                    assertThat(refusal.code()).isEqualTo(reason.code());
                    assertThat(refusal.httpStatus()).isEqualTo(reason.httpStatus());
                    assertThat(refusal.isRetryable()).isEqualTo(reason == Reason.VERIFIER_UNAVAILABLE);
                    assertThat(refusal.description()).isNotBlank();
                    for (Throwable e = refusal; e != null; e = e.getCause()) {
                        if (token.length() > 20) {
                            assertThat(e.toString()).doesNotContain(token.substring(0, 20));
                        }
                    }
                    seen.set(refusal);
                })
                .verify(LIMIT);
        return Objects.requireNonNull(seen.get());
    }
}
