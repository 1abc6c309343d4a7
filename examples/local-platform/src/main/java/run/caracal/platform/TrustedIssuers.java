package run.caracal.platform;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSObject;
import com.nimbusds.jose.Payload;
import com.nimbusds.jose.crypto.factories.DefaultJWSSignerFactory;
import com.nimbusds.jose.crypto.factories.DefaultJWSVerifierFactory;
import com.nimbusds.jose.jwk.AsymmetricJWK;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import java.nio.charset.StandardCharsets;
import java.text.ParseException;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The trusted identity providers of the zone: verifies their ID tokens, and signs ID tokens for tests. */
final class TrustedIssuers {

    private static final Set<String> ALGORITHMS = Set.of("RS256", "RS384", "RS512", "ES256", "ES384", "ES512");
    private static final Duration LEEWAY = Duration.ofSeconds(60);
    private static final Duration LIFE = Duration.ofMinutes(5);
    private static final int SUBJECT_BYTES = 512;

    /** Bidirectional control characters, with which one subject could look like another. */
    private static final String BIDIRECTIONAL =
            "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069";

    /** A provider, the audience of its tokens, and its only key. */
    record Issuer(String id, String audience, JWK key) {
        Issuer {
            if (id.isBlank() || audience.isBlank()) {
                throw new IllegalArgumentException("an issuer needs an id and an audience");
            }
            if (!(key instanceof AsymmetricJWK)
                    || !key.isPrivate()
                    || key.getKeyID() == null
                    || key.getAlgorithm() == null
                    || !ALGORITHMS.contains(key.getAlgorithm().getName())) {
                throw new IllegalArgumentException("the key of issuer " + id
                        + " must be a private RSA or EC key with an id and one of the algorithms " + ALGORITHMS);
            }
        }

        /** A provider with a new key. Blocks on the random source. */
        static Issuer generated(String id, String audience) {
            try {
                return new Issuer(
                        id,
                        audience,
                        new ECKeyGenerator(Curve.P_256)
                                .keyID(Ids.random())
                                .algorithm(JWSAlgorithm.ES256)
                                .generate());
            } catch (JOSEException e) {
                throw new IllegalStateException("no ES256 on this JVM", e);
            }
        }

        @Override
        public String toString() {
            return id;
        }
    }

    private static final String BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

    private final List<Issuer> issuers;

    TrustedIssuers(List<Issuer> issuers) {
        this.issuers = issuers;
    }

    /** An ID token of the first provider for a user, valid for five minutes. */
    String idToken(String subject, Instant now) {
        Issuer issuer = issuers.get(0);
        Map<String, @Nullable Object> claims = Json.object();
        claims.put("iss", issuer.id());
        claims.put("sub", subject);
        claims.put("aud", issuer.audience());
        claims.put("iat", now.getEpochSecond());
        claims.put("exp", now.plus(LIFE).getEpochSecond());
        JWSHeader header = new JWSHeader.Builder(
                        JWSAlgorithm.parse(issuer.key().getAlgorithm().getName()))
                .keyID(issuer.key().getKeyID())
                .type(JOSEObjectType.JWT)
                .build();
        JWSObject token = new JWSObject(header, new Payload(Json.write(claims)));
        try {
            token.sign(new DefaultJWSSignerFactory().createJWSSigner(issuer.key()));
        } catch (JOSEException e) {
            throw new IllegalStateException("the key of issuer " + issuer + " does not sign", e);
        }
        return token.serialize();
    }

    /** The user of a valid ID token; a refusal for any other text. */
    String subject(String idToken, Instant now) {
        JWSObject token = parsed(idToken);
        if (!ALGORITHMS.contains(token.getHeader().getAlgorithm().getName())) {
            throw refused("signing algorithm is not allowed");
        }
        if (token.getHeader().getKeyID() == null) {
            throw refused("kid is required");
        }
        Mandate claims = claims(token);
        Issuer issuer = issuers.stream()
                .filter(known -> known.id().equals(claims.text("iss")))
                .findFirst()
                .orElseThrow(() -> refused("issuer is not registered in this zone"));
        if (!isSignedBy(issuer, token)) {
            throw refused("signature is not valid");
        }
        if (!claims.texts("aud").contains(issuer.audience())) {
            throw refused("audience does not match");
        }
        if (!(claims.claims().get("exp") instanceof Number expiry)) {
            throw refused("exp is required");
        }
        if (!now.isBefore(Instant.ofEpochSecond(expiry.longValue()).plus(LEEWAY))) {
            throw refused("token is expired");
        }
        String subject = claims.text("sub");
        if (!isAcceptable(subject)) {
            throw refused("sub is not acceptable");
        }
        return subject;
    }

    private static JWSObject parsed(String idToken) {
        String[] parts = idToken.split("\\.", -1);
        if (parts.length != 3) {
            throw malformed("token contains an invalid number of segments");
        }
        checkEncoding(parts[0], "header");
        checkEncoding(parts[1], "claim");
        try {
            return JWSObject.parse(idToken);
        } catch (ParseException e) {
            throw malformed("could not JSON decode header");
        }
    }

    /** Names the first character that is not base64url, or is incomplete. */
    private static void checkEncoding(String part, String name) {
        int bad = 0;
        while (bad < part.length() && BASE64URL.indexOf(part.charAt(bad)) >= 0) {
            bad++;
        }
        if (bad == part.length() && part.length() % 4 != 1) {
            return;
        }
        throw malformed("could not base64 decode " + name + ": illegal base64 data at input byte "
                + Math.min(bad, part.length() - 1));
    }

    private static Mandate claims(JWSObject token) {
        try {
            return new Mandate(Json.parseObject(token.getPayload().toBytes()));
        } catch (Json.InvalidJson e) {
            throw malformed("could not JSON decode claim");
        }
    }

    private static boolean isSignedBy(Issuer issuer, JWSObject token) {
        if (!issuer.key().getKeyID().equals(token.getHeader().getKeyID())) {
            return false;
        }
        try {
            AsymmetricJWK key = (AsymmetricJWK) issuer.key();
            return token.verify(
                    new DefaultJWSVerifierFactory().createJWSVerifier(token.getHeader(), key.toPublicKey()));
        } catch (JOSEException e) {
            // For instance an algorithm for another key type.
            return false;
        }
    }

    private static boolean isAcceptable(String subject) {
        int bytes = subject.getBytes(StandardCharsets.UTF_8).length;
        return bytes >= 1
                && bytes <= SUBJECT_BYTES
                && subject.equals(subject.strip())
                && !subject.startsWith("caracal:")
                && subject.codePoints().noneMatch(TrustedIssuers::isForbidden);
    }

    private static boolean isForbidden(int character) {
        return Character.isISOControl(character)
                || character == 0xFFFD
                || Character.getType(character) == Character.SURROGATE
                || BIDIRECTIONAL.indexOf(character) >= 0;
    }

    private static Refusal malformed(String reason) {
        return refused("malformed subject token: token is malformed: " + reason);
    }

    private static Refusal refused(String reason) {
        return new Refusal(401, "invalid_token", "invalid subject_token: " + reason);
    }
}
