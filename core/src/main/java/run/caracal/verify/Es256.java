package run.caracal.verify;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.util.Base64URL;
import java.security.Provider;
import java.util.Arrays;
import org.jspecify.annotations.Nullable;

/**
 * A public key for ES256 signatures. The only class that uses nimbus-jose-jwt, which sees neither the header nor a
 * claim of a token, so no caller can choose the algorithm or the key.
 */
final class Es256 {
    /** The required artifact. */
    static final String ARTIFACT = "com.nimbusds:nimbus-jose-jwt";

    private static final JWSHeader HEADER = new JWSHeader(JWSAlgorithm.ES256);

    /** The generator of P-256, a valid point for a trial run. */
    private static final String PROBE_X = "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY";

    private static final String PROBE_Y = "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU";

    private final ECDSAVerifier verifier;

    private Es256(ECDSAVerifier verifier) {
        this.verifier = verifier;
    }

    /**
     * Makes a trial run, because loading classes and providers may block and belongs to start-up.
     *
     * @throws NoClassDefFoundError if the library is missing
     * @throws IllegalStateException if the provider cannot verify ES256
     */
    static void load(@Nullable Provider provider) {
        Es256 probe = of(PROBE_X, PROBE_Y, provider);
        if (probe == null || !probe.refuses(new byte[1], filled())) {
            throw new IllegalStateException(
                    (provider == null ? "this Java" : provider.getName()) + " cannot check signatures of ES256");
        }
    }

    private boolean refuses(byte[] signed, byte[] signature) {
        try {
            return !verifier.verify(HEADER, signed, Base64URL.encode(signature));
        } catch (JOSEException e) {
            return false;
        }
    }

    /** A signature of numbers in the valid range; others are rejected before the computation. */
    private static byte[] filled() {
        byte[] signature = new byte[64];
        Arrays.fill(signature, (byte) 1);
        return signature;
    }

    /**
     * A key by its coordinates, {@code null} if they are no point of P-256; without a provider, that of the JDK
     * computes.
     */
    static @Nullable Es256 of(String x, String y, @Nullable Provider provider) {
        try {
            ECKey key = new ECKey.Builder(Curve.P_256, new Base64URL(x), new Base64URL(y)).build();
            // A key of the provider's own type; others would be translated for each signature.
            ECDSAVerifier verifier = new ECDSAVerifier(key.toECPublicKey(provider));
            if (provider != null) {
                verifier.getJCAContext().setProvider(provider);
            }
            return new Es256(verifier);
        } catch (JOSEException | IllegalArgumentException | IllegalStateException e) {
            return null;
        }
    }

    /** Whether this key made the signature; {@code false} for a malformed one. */
    boolean verify(byte[] signed, String signature) {
        try {
            return verifier.verify(HEADER, signed, new Base64URL(signature));
        } catch (JOSEException e) {
            return false;
        }
    }
}
