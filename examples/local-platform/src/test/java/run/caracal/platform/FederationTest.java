package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.JWSObject;
import com.nimbusds.jose.Payload;
import com.nimbusds.jose.crypto.MACSigner;
import com.nimbusds.jose.crypto.factories.DefaultJWSSignerFactory;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWK;
import com.nimbusds.jose.jwk.RSAKey;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.nimbusds.jose.jwk.gen.RSAKeyGenerator;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.platform.Http.Result;

/** Users that an identity provider vouches for, as a client sees them: the checks of the STS, and the use of their token. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
final class FederationTest {

    private static final String ISSUER = "https://login.example.com";
    private static final String RSA_ISSUER = "https://login.example.org";
    private static final String AUDIENCE = "my-app";

    private final TestClock clock = new TestClock();
    private final ECKey key;
    private final RSAKey rsaKey;
    private final LocalPlatform platform;

    FederationTest() throws JOSEException {
        key = new ECKeyGenerator(Curve.P_256)
                .keyID("key-1")
                .algorithm(JWSAlgorithm.ES256)
                .generate();
        rsaKey = new RSAKeyGenerator(2048)
                .keyID("key-2")
                .algorithm(JWSAlgorithm.RS256)
                .generate();
        platform = LocalPlatform.builder()
                .clock(clock)
                .application("app-local", "secret-1")
                .trustedIssuer(ISSUER, AUDIENCE, key)
                .trustedIssuer(RSA_ISSUER, AUDIENCE, rsaKey)
                .trustedIssuer("https://elsewhere.example.com", AUDIENCE)
                .start();
    }

    @AfterAll
    void stop() {
        platform.disposeLater().block(Duration.ofSeconds(5));
    }

    private Result federate(String idToken) {
        return Http.form(Http.tokenUrl(platform), Http.federationForm(platform, idToken), Map.of());
    }

    private static void assertError(Result result, int status, String code, String description) {
        assertThat(result.status()).as(result.body()).isEqualTo(status);
        assertThat(result.text("error")).isEqualTo(code);
        assertThat(result.text("error_description")).isEqualTo(description);
    }

    private void assertRefused(String idToken, String reason) {
        assertError(federate(idToken), 401, "invalid_token", "invalid subject_token: " + reason);
    }

    private Map<String, @Nullable Object> claims() {
        Map<String, @Nullable Object> claims = Json.object();
        claims.put("iss", ISSUER);
        claims.put("sub", "alice");
        claims.put("aud", AUDIENCE);
        claims.put("exp", clock.instant().getEpochSecond() + 300);
        return claims;
    }

    private String token(Consumer<Map<String, @Nullable Object>> change) {
        Map<String, @Nullable Object> claims = claims();
        change.accept(claims);
        return signed(key, JWSAlgorithm.ES256, "key-1", Json.write(claims));
    }

    private static String signed(JWK key, JWSAlgorithm algorithm, @Nullable String keyId, byte[] claims) {
        try {
            JWSObject token =
                    new JWSObject(new JWSHeader.Builder(algorithm).keyID(keyId).build(), new Payload(claims));
            token.sign(new DefaultJWSSignerFactory().createJWSSigner(key, algorithm));
            return token.serialize();
        } catch (JOSEException e) {
            throw new AssertionError(e);
        }
    }

    @Test
    void aUserGetsASessionMandateWithoutScopes() {
        Map<String, List<String>> form = Http.federationForm(platform, platform.idToken("alice"));
        Result result = Http.form(Http.tokenUrl(platform), form, Map.of("X-Request-Id", "req-user"));

        assertThat(result.status()).as(result.body()).isEqualTo(200);
        assertThat(result.json())
                .containsEntry("expires_in", 900L)
                .containsEntry("issued_token_type", "urn:ietf:params:oauth:token-type:access_token")
                .doesNotContainKeys("scope", "target_resources");
        Map<String, @Nullable Object> claims = Http.claims(result.text("access_token"));
        assertThat(claims)
                .containsEntry("sub", "alice")
                .containsEntry("sub_type", "user")
                .containsEntry("client_id", "app-local")
                .containsEntry("use", "session")
                .containsEntry("aud", List.of(platform.stsUrl()))
                .doesNotContainKeys("scope", "target", "agent_session_id");
        assertThat(claims.get("root_sid")).isEqualTo(claims.get("sid"));
        assertThat(platform.audit().byRequestId("req-user")).singleElement().satisfies(event -> {
            assertThat(event.eventType()).isEqualTo("token_exchange");
            assertThat(event.decision()).isEqualTo("allow");
            assertThat(event.determiningPolicies()).containsExactly("caracal-subject-federation");
            assertThat(event.metadata()).containsEntry("subject_kind", "user");
        });
    }

    @ParameterizedTest
    @ValueSource(strings = {"resource", "scope", "session_id", "agent_session_id", "delegation_edge_id", "approval_id"})
    void refusesFieldsOfOtherExchanges(String field) {
        Map<String, List<String>> form = Http.federationForm(platform, token(claims -> {}));
        form.put(field, List.of("x"));
        assertError(
                Http.form(Http.tokenUrl(platform), form, Map.of()),
                400,
                "invalid_token",
                "a subject federation exchange carries only the identity token: no resources, scopes, session,"
                        + " delegation, or challenge parameters");
    }

    @Test
    void honoursTheLifetimeThatIsAskedFor() {
        Map<String, List<String>> form = Http.federationForm(platform, token(claims -> {}));
        form.put("ttl_seconds", List.of("3600"));
        assertThat(Http.form(Http.tokenUrl(platform), form, Map.of()).json()).containsEntry("expires_in", 3600L);
        form.put("ttl_seconds", List.of("3601"));
        assertError(
                Http.form(Http.tokenUrl(platform), form, Map.of()),
                400,
                "invalid_token",
                "ttl_seconds exceeds token TTL cap");
    }

    @Test
    void checksWhoSignedTheToken() throws Exception {
        byte[] good = Json.write(claims());
        assertThat(federate(signed(key, JWSAlgorithm.ES256, "key-1", good)).status())
                .isEqualTo(200);
        byte[] ofRsa = Json.write(with(claims(), "iss", RSA_ISSUER));
        for (JWSAlgorithm algorithm : List.of(JWSAlgorithm.RS256, JWSAlgorithm.RS384, JWSAlgorithm.RS512)) {
            assertThat(federate(signed(rsaKey, algorithm, "key-2", ofRsa)).status())
                    .isEqualTo(200);
        }
        assertRefused(signed(rsaKey, JWSAlgorithm.PS256, "key-2", ofRsa), "signing algorithm is not allowed");
        JWSObject shared = new JWSObject(
                new JWSHeader.Builder(JWSAlgorithm.HS256).keyID("key-1").build(), new Payload(good));
        shared.sign(new MACSigner("a secret that is long enough to sign".getBytes(StandardCharsets.UTF_8)));
        assertRefused(shared.serialize(), "signing algorithm is not allowed");
        assertRefused(signed(key, JWSAlgorithm.ES256, null, good), "kid is required");
        assertRefused(signed(key, JWSAlgorithm.ES256, "key-2", good), "signature is not valid");
        ECKey stranger = new ECKeyGenerator(Curve.P_256).keyID("key-1").generate();
        assertRefused(signed(stranger, JWSAlgorithm.ES256, "key-1", good), "signature is not valid");
        // The right key id, but a key of another kind.
        assertRefused(signed(rsaKey, JWSAlgorithm.RS256, "key-1", good), "signature is not valid");
        Map.of(
                        "x",
                        "token contains an invalid number of segments",
                        "a.b.c",
                        "could not base64 decode header: illegal base64 data at input byte 0",
                        "eyJh!.b.c",
                        "could not base64 decode header: illegal base64 data at input byte 4",
                        "eyJhbGciOiJFUzI1NiJ9.eyJ9b.c",
                        "could not base64 decode claim: illegal base64 data at input byte 4",
                        "eA.e30.c",
                        "could not JSON decode header",
                        signed(key, JWSAlgorithm.ES256, "key-1", new byte[] {'['}),
                        "could not JSON decode claim")
                .forEach((token, reason) ->
                        assertRefused(token, "malformed subject token: token is malformed: " + reason));
    }

    private static Map<String, @Nullable Object> with(
            Map<String, @Nullable Object> claims, String name, @Nullable Object value) {
        claims.put(name, value);
        return claims;
    }

    @Test
    void checksWhatTheTokenSays() {
        assertRefused(token(claims -> claims.put("iss", ISSUER + "/")), "issuer is not registered in this zone");
        assertRefused(token(claims -> claims.remove("iss")), "issuer is not registered in this zone");
        assertRefused(token(claims -> claims.put("aud", "other-app")), "audience does not match");
        assertThat(federate(token(claims -> claims.put("aud", List.of("other-app", AUDIENCE))))
                        .status())
                .isEqualTo(200);
        assertRefused(token(claims -> claims.remove("exp")), "exp is required");
        assertRefused(token(claims -> claims.put("exp", "soon")), "exp is required");
        long now = clock.instant().getEpochSecond();
        assertThat(federate(token(claims -> claims.put("exp", now - 59))).status())
                .isEqualTo(200);
        assertRefused(token(claims -> claims.put("exp", now - 60)), "token is expired");
    }

    @Test
    void aSubjectMustNameAUserPlainly() {
        for (String good : List.of("a", "auth0|5f7c", "Zo\u00eb van Dijk", "x".repeat(512), "\u00e4".repeat(256))) {
            assertThat(federate(token(claims -> claims.put("sub", good))).status())
                    .as(good)
                    .isEqualTo(200);
        }
        for (String bad : List.of(
                "",
                " alice",
                "alice\n",
                "al\u0007ice",
                "al\u202eice",
                "al\u2066ice",
                "al\ufffdice",
                "caracal:alice",
                "x".repeat(513),
                "\u00e4".repeat(257))) {
            assertRefused(token(claims -> claims.put("sub", bad)), "sub is not acceptable");
        }
        assertRefused(token(claims -> claims.remove("sub")), "sub is not acceptable");
        assertRefused(token(claims -> claims.put("sub", 7L)), "sub is not acceptable");
        byte[] invalidText = Json.write(with(claims(), "sub", "~"));
        for (int i = 0; i < invalidText.length; i++) {
            if (invalidText[i] == '~') {
                invalidText[i] = (byte) 0xff;
            }
        }
        assertRefused(
                signed(key, JWSAlgorithm.ES256, "key-1", invalidText),
                "malformed subject token: token is malformed: could not JSON decode claim");
    }

    @Test
    void sessionsMayBeAttributedToTheUser() {
        String token = federate(platform.idToken("alice")).text("access_token");
        String record = String.valueOf(Http.claims(token).get("sid"));
        String bearer = Http.token(platform);
        String start = Http.json("application_id", "app-local", "subject_session_id", record);

        Result opened = Http.agents(platform, bearer, "POST", "", start);
        assertThat(opened.status()).as(opened.body()).isEqualTo(201);
        assertThat(opened.text("subject_authority_record_id")).isEqualTo(record);
        Result unknown = Http.agents(
                platform, bearer, "POST", "", Http.json("application_id", "app-local", "subject_session_id", "nobody"));
        assertThat(unknown.status()).isEqualTo(404);
        assertThat(unknown.text("error")).isEqualTo("session_not_found");

        Result asUser = Http.agents(platform, token, "POST", "", start);
        assertThat(asUser.status()).isEqualTo(403);
        assertThat(asUser.text("error")).isEqualTo("missing_scope");
        Map<String, List<String>> mint = Http.tokenForm(platform);
        mint.put("session_id", List.of(record));
        assertError(
                Http.form(Http.tokenUrl(platform), mint, Map.of()),
                403,
                "access_denied",
                "authority record not owned by caller");
        Result atGateway = Http.send(
                "GET",
                platform.gatewayUrl() + "/echo",
                null,
                Map.of("Authorization", "Bearer " + token, "X-Caracal-Resource", platform.resourceId()));
        assertError(atGateway, 401, "invalid_token", "invalid subject_token");

        clock.advance(Duration.ofSeconds(900));
        assertThat(Http.agents(platform, Http.token(platform), "POST", "", start)
                        .status())
                .isEqualTo(404);
    }

    @Test
    void anIssuerNeedsAKeyThatSigns() {
        for (JWK unusable : List.of(
                key.toPublicJWK(), new ECKey.Builder(key).algorithm(null).build())) {
            assertThatThrownBy(() -> LocalPlatform.builder().trustedIssuer(ISSUER, AUDIENCE, unusable))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining(ISSUER);
        }
        assertThatThrownBy(() -> LocalPlatform.builder().trustedIssuer(" ", AUDIENCE))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
