package run.caracal.bench;

import com.amazon.corretto.crypto.provider.AmazonCorrettoCryptoProvider;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.PublicKey;
import java.security.Signature;
import java.security.spec.X509EncodedKeySpec;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.conscrypt.Conscrypt;
import org.jspecify.annotations.Nullable;
import run.caracal.Boundary;
import run.caracal.Caracal;
import run.caracal.test.TestZone;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.JwksMandateVerifier;

/** Verified requests on one core, through the boundary, with the JDK's own signatures and with those of native providers. */
final class VerifyBench {
    private static final int TOKENS = 500;

    private static final String TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    /** Of a provider that is fast: enough of them for the compiler, as the rounds are short. */
    private static final int FAST_TOKENS = 5_000;

    private static final double NATIVE = 7_950;

    /** Half of what the SDK itself once took for a request. */
    private static final double OWN_MICROS = 37.5;

    private static final double OWN_BYTES = 34 * 1024;

    private VerifyBench() {}

    static void run(Report report, int rounds) {
        TestZone zone = new TestZone("kid-1");
        String token = zone.sign(claims());
        Caracal caracal = new InMemory(60, Duration.ZERO).client();
        Rounds measured = new Rounds()
                .variant("ECDSA", () -> signatures(zone, token))
                .variant("JDK", () -> verified(caracal, verifier(zone).build(), token, TOKENS))
                .variant(
                        "own",
                        () -> verified(
                                caracal,
                                verifier(zone).provider(new FreeSignatures()).build(),
                                token,
                                FAST_TOKENS))
                .variant(
                        "Corretto",
                        () -> verified(
                                caracal,
                                verifier(zone)
                                        .provider(AmazonCorrettoCryptoProvider.INSTANCE)
                                        .build(),
                                token,
                                FAST_TOKENS))
                .variant(
                        "Conscrypt",
                        () -> verified(
                                caracal,
                                verifier(zone).provider(Conscrypt.newProvider()).build(),
                                token,
                                FAST_TOKENS))
                .run(5, rounds);
        report.figure(
                "JDK, CPU, against its bare ECDSA",
                measured.cpu("JDK", "ECDSA"),
                Report.micros(measured, "JDK", "ECDSA"));
        for (String provider : List.of("JDK", "Corretto", "Conscrypt")) {
            double each = 1e9 / measured.cpuNanos(provider).median();
            boolean budgeted = !provider.equals("JDK");
            report.value(
                    "verified requests a second and core, " + provider,
                    Stat.number(each),
                    budgeted ? "at least " + Stat.number(NATIVE) : "",
                    budgeted ? (each >= NATIVE ? "yes" : "**no**") : "",
                    Stat.number(measured.bytes(provider).median()) + " B each");
        }
        double micros = measured.cpuNanos("own").median() / 1_000;
        report.value(
                "the SDK's own share, CPU",
                Stat.number(micros) + " µs",
                "at most " + Stat.number(OWN_MICROS) + " µs",
                micros <= OWN_MICROS ? "yes" : "**no**",
                "with signatures that cost nothing");
        double bytes = measured.bytes("own").median();
        report.value(
                "the SDK's own share, allocation",
                Stat.number(bytes) + " B",
                "at most " + Stat.number(OWN_BYTES) + " B",
                bytes <= OWN_BYTES ? "yes" : "**no**",
                "");
        caracal.dispose();
        report.write();
    }

    private static JwksMandateVerifier.Builder verifier(TestZone zone) {
        return JwksMandateVerifier.builder()
                .zoneId("zone-1")
                .issuer("https://sts.example.com")
                .audience(Canned.RESOURCE)
                .revocations(InMemoryRevocationStore.create())
                .allowInsecureUrls(false)
                .transport(zone);
    }

    private static Rounds.Cost verified(Caracal caracal, JwksMandateVerifier verifier, String token, int tokens) {
        Boundary boundary = Boundary.verified(verifier);
        Map<String, String> headers = Map.of("authorization", "Bearer " + token, "traceparent", TRACEPARENT);
        for (int i = 0; i < tokens; i++) {
            Objects.requireNonNull(caracal.bindFromHeaders(headers, boundary, caracal.current())
                    .block());
        }
        verifier.dispose();
        return Rounds.Cost.of(tokens);
    }

    private static Rounds.Cost signatures(TestZone zone, String token) {
        try {
            PublicKey key = KeyFactory.getInstance("EC").generatePublic(new X509EncodedKeySpec(zone.encodedKey()));
            int end = token.lastIndexOf('.');
            byte[] signed = token.substring(0, end).getBytes(StandardCharsets.US_ASCII);
            byte[] signature = Base64.getUrlDecoder().decode(token.substring(end + 1));
            for (int i = 0; i < TOKENS; i++) {
                Signature verifier = Signature.getInstance("SHA256withECDSAinP1363Format");
                verifier.initVerify(key);
                verifier.update(signed);
                if (!verifier.verify(signature)) {
                    throw new IllegalStateException("the signature is wrong: " + new BigInteger(1, signature));
                }
            }
            return Rounds.Cost.of(TOKENS);
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    private static Map<String, @Nullable Object> claims() {
        long now = Instant.now().getEpochSecond();
        Map<String, @Nullable Object> claims = new LinkedHashMap<>();
        claims.put("iss", "https://sts.example.com");
        claims.put("aud", List.of(Canned.RESOURCE));
        claims.put("iat", now);
        claims.put("exp", now + 3600);
        claims.put("jti", Canned.id());
        claims.put("sub", "app-1");
        claims.put("sub_type", "application");
        claims.put("client_id", "app-1");
        claims.put("sid", Canned.id());
        claims.put("root_sid", Canned.id());
        claims.put("use", "resource");
        claims.put("zone_id", "zone-1");
        claims.put("scope", Canned.SCOPE);
        claims.put("target", List.of(Canned.RESOURCE));
        claims.put("agent_session_id", Canned.id());
        claims.put("delegation_edge_id", Canned.id());
        claims.put("source_session_id", Canned.id());
        claims.put("target_session_id", Canned.id());
        claims.put("delegation_path", List.of(Canned.id()));
        claims.put("hop_count", 1L);
        claims.put("delegation_graph_epoch", 1L);
        return claims;
    }
}
