package run.caracal.test;

import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyPair;
import java.security.KeyPairGenerator;
import java.security.Signature;
import java.security.interfaces.ECPublicKey;
import java.security.spec.ECGenParameterSpec;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.internal.json.Json;

/**
 * A zone that signs tokens and serves its key, on the JDK's cryptography alone, so that it judges the verifier's library. Its
 * transport answers at once unless the script says otherwise.
 */
public final class TestZone implements HttpTransport {
    private final KeyPair pair;
    private final String kid;
    private final List<HttpRequest> requests = new CopyOnWriteArrayList<>();
    private volatile UnaryOperator<Mono<HttpResponse>> script = UnaryOperator.identity();
    private volatile List<TestZone> served = List.of(this);

    public TestZone(String kid) {
        this.kid = kid;
        try {
            KeyPairGenerator generator = KeyPairGenerator.getInstance("EC");
            generator.initialize(new ECGenParameterSpec("secp256r1"));
            pair = generator.generateKeyPair();
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    /** All answers are changed like this. */
    public void script(UnaryOperator<Mono<HttpResponse>> script) {
        this.script = script;
    }

    /** The set of keys is that of these from now on. */
    public void serve(TestZone... zones) {
        served = List.of(zones);
    }

    public int fetches() {
        return requests.size();
    }

    public List<HttpRequest> requests() {
        return requests;
    }

    /** The header of the platform's own tokens. */
    public Map<String, @Nullable Object> header() {
        Map<String, @Nullable Object> header = new LinkedHashMap<>();
        header.put("alg", "ES256");
        header.put("kid", kid);
        header.put("typ", "JWT");
        return header;
    }

    public String sign(Map<String, ? extends @Nullable Object> claims) {
        return sign(header(), Json.write("claims", claims));
    }

    public String sign(Map<String, ? extends @Nullable Object> header, byte[] payload) {
        return sign(Json.write("header", header), payload);
    }

    /** A token of any two parts, signed by this zone. */
    public String sign(byte[] header, byte[] payload) {
        return sign(base64(header) + "." + base64(payload));
    }

    /** A token that begins with any text, signed by this zone. */
    public String sign(String signed) {
        try {
            Signature signature = Signature.getInstance("SHA256withECDSAinP1363Format");
            signature.initSign(pair.getPrivate());
            signature.update(signed.getBytes(StandardCharsets.US_ASCII));
            return signed + "." + base64(signature.sign());
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    public static String base64(byte[] bytes) {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(bytes);
    }

    /** The public key in the form in which keys are often kept. */
    public byte[] encodedKey() {
        return pair.getPublic().getEncoded();
    }

    public Map<String, @Nullable Object> jwk() {
        ECPublicKey key = (ECPublicKey) pair.getPublic();
        Map<String, @Nullable Object> jwk = new LinkedHashMap<>();
        jwk.put("kty", "EC");
        jwk.put("crv", "P-256");
        jwk.put("use", "sig");
        jwk.put("kid", kid);
        jwk.put("alg", "ES256");
        jwk.put("x", coordinate(key.getW().getAffineX()));
        jwk.put("y", coordinate(key.getW().getAffineY()));
        return jwk;
    }

    private static String coordinate(BigInteger value) {
        byte[] bytes = value.toByteArray();
        byte[] fixed = new byte[32];
        int length = Math.min(bytes.length, fixed.length);
        System.arraycopy(bytes, bytes.length - length, fixed, fixed.length - length, length);
        return base64(fixed);
    }

    /** A set of these keys. */
    public static HttpResponse keys(List<Map<String, @Nullable Object>> keys) {
        return new HttpResponse(200, Map.of(), Json.write("keys", Map.of("keys", keys)));
    }

    @Override
    public Mono<HttpResponse> exchange(HttpRequest request) {
        return Mono.defer(() -> {
            requests.add(request);
            return script.apply(Mono.fromSupplier(
                    () -> keys(served.stream().map(TestZone::jwk).toList())));
        });
    }

    @Override
    public Mono<Void> disposeLater() {
        return Mono.empty();
    }

    @Override
    public void dispose() {}
}
