package run.caracal.platform;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JOSEObjectType;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSObject;
import com.nimbusds.jose.Payload;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.crypto.ECDSAVerifier;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import java.text.ParseException;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;

/** The zone's signing key: signs tokens, and verifies signatures. */
final class ZoneKeys {

    private static final int REMEMBERED = 4096;

    private final ECKey key;
    private final ECDSASigner signer;
    private final ECDSAVerifier verifier;

    /** Caches verified signatures, because a verification costs a noticeable part of a millisecond. */
    private final Map<String, Mandate> verified = new ConcurrentHashMap<>();

    private ZoneKeys(ECKey key) throws JOSEException {
        this.key = key;
        this.signer = new ECDSASigner(key);
        this.verifier = new ECDSAVerifier(key);
    }

    /** Creates a new key. Blocks on the random source. */
    static ZoneKeys generate() {
        return generate(Ids.random());
    }

    /** Another key under the same id. */
    ZoneKeys sameNameOtherKey() {
        return generate(key.getKeyID());
    }

    private static ZoneKeys generate(String keyId) {
        try {
            return new ZoneKeys(new ECKeyGenerator(Curve.P_256)
                    .keyID(keyId)
                    .algorithm(JWSAlgorithm.ES256)
                    .generate());
        } catch (JOSEException e) {
            throw new IllegalStateException("no ES256 on this JVM", e);
        }
    }

    /** Signs the claims off the caller's thread, because the random source may block. */
    Mono<String> sign(Map<String, @Nullable Object> claims) {
        return Mono.fromCallable(() -> signed(claims)).subscribeOn(Schedulers.boundedElastic());
    }

    /** Signs the claims. Blocks on the random source. */
    String signed(Map<String, @Nullable Object> claims) {
        try {
            JWSHeader header = new JWSHeader.Builder(JWSAlgorithm.ES256)
                    .keyID(key.getKeyID())
                    .type(JOSEObjectType.JWT)
                    .build();
            JWSObject token = new JWSObject(header, new Payload(Json.write(claims)));
            token.sign(signer);
            return token.serialize();
        } catch (JOSEException e) {
            throw new IllegalStateException("cannot sign with a key of this zone", e);
        }
    }

    /** The claims of a token signed by this zone, even if expired; empty for any other text. */
    Optional<Mandate> verify(String token) {
        Mandate known = verified.get(token);
        if (known != null) {
            return Optional.of(known);
        }
        try {
            JWSObject parsed = JWSObject.parse(token);
            boolean ours = JWSAlgorithm.ES256.equals(parsed.getHeader().getAlgorithm())
                    && key.getKeyID().equals(parsed.getHeader().getKeyID())
                    && parsed.verify(verifier);
            if (!ours) {
                return Optional.empty();
            }
            Mandate mandate = new Mandate(Json.parseObject(parsed.getPayload().toBytes()));
            if (verified.size() >= REMEMBERED) {
                verified.clear();
            }
            verified.put(token, mandate);
            return Optional.of(mandate);
        } catch (ParseException | JOSEException | Json.InvalidJson e) {
            return Optional.empty();
        }
    }

    /** The public half as a JWK set. */
    Map<String, @Nullable Object> jwks() {
        Map<String, @Nullable Object> jwk = Json.object();
        jwk.put("kty", "EC");
        jwk.put("crv", "P-256");
        jwk.put("use", "sig");
        jwk.put("kid", key.getKeyID());
        jwk.put("alg", "ES256");
        jwk.put("x", key.getX().toString());
        jwk.put("y", key.getY().toString());
        Map<String, @Nullable Object> set = Json.object();
        set.put("keys", List.of(jwk));
        return set;
    }
}
