package run.caracal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.security.Provider;
import java.security.Security;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import run.caracal.error.ConfigurationException;
import run.caracal.error.InboundException.Reason;

/** A verifier computes signatures only with the configured provider. */
class SignatureProviderTest {
    private final VerifierFixture fixture = new VerifierFixture();

    private static Provider provider(String name) {
        return Objects.requireNonNull(Security.getProvider(name));
    }

    @Test
    void computesWithTheGivenProvider() {
        JwksMandateVerifier verifier =
                fixture.builder().provider(provider("SunEC")).build();
        String token = fixture.zone.sign(VerifierFixture.claims());

        assertThat(VerifierFixture.accepted(verifier, token, MandateRequirements.defaults())
                        .zoneId())
                .isEqualTo("zone-1");
        var unused =
                VerifierFixture.refused(Reason.INVALID_TOKEN, verifier, changed(token), MandateRequirements.defaults());
    }

    /** The same claims with a foreign signature. */
    private String changed(String token) {
        String other = fixture.zone.sign(VerifierFixture.with("scope", "other"));
        return token.substring(0, token.lastIndexOf('.')) + other.substring(other.lastIndexOf('.'));
    }

    @Test
    void refusesAProviderThatCannotComputeThem() {
        JwksMandateVerifier.Builder builder = fixture.builder().provider(provider("SUN"));

        assertThatThrownBy(builder::build)
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("provider")
                .hasMessageContaining("SUN cannot check signatures of ES256");
    }
}
