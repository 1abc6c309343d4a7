package run.caracal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static run.caracal.verify.VerifierFixture.AUDIENCE;
import static run.caracal.verify.VerifierFixture.EXPIRES_AT;
import static run.caracal.verify.VerifierFixture.ISSUED_AT;
import static run.caracal.verify.VerifierFixture.LIMIT;
import static run.caracal.verify.VerifierFixture.NOW;
import static run.caracal.verify.VerifierFixture.claims;
import static run.caracal.verify.VerifierFixture.with;
import static run.caracal.verify.VerifierFixture.without;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.math.BigInteger;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.error.ConfigurationException;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.internal.json.Json;
import run.caracal.test.TestZone;
import run.caracal.verify.VerifiedMandate.Hop;
import run.caracal.verify.VerifiedMandate.SubjectType;
import run.caracal.verify.VerifiedMandate.Use;

/** The rules of the platform's verifiers, by their numbers in the order in which they are applied. */
class MandateRulesTest {
    private static final MandateRequirements NOTHING_MORE = MandateRequirements.defaults();

    private final VerifierFixture fixture = new VerifierFixture();
    private final TestZone zone = fixture.zone;
    private final JwksMandateVerifier verifier = fixture.builder().build();

    private VerifiedMandate accepted(Map<String, ? extends @Nullable Object> claims) {
        return accepted(claims, NOTHING_MORE);
    }

    private VerifiedMandate accepted(Map<String, ? extends @Nullable Object> claims, MandateRequirements required) {
        return VerifierFixture.accepted(verifier, zone.sign(claims), required);
    }

    private InboundException refused(Reason reason, Map<String, ? extends @Nullable Object> claims) {
        return refused(reason, claims, NOTHING_MORE);
    }

    private InboundException refused(
            Reason reason, Map<String, ? extends @Nullable Object> claims, MandateRequirements required) {
        return VerifierFixture.refused(reason, verifier, zone.sign(claims), required);
    }

    private InboundException refusedToken(Reason reason, String token) {
        return VerifierFixture.refused(reason, verifier, token, NOTHING_MORE);
    }

    @Nested
    class Form {
        @ParameterizedTest
        @ValueSource(strings = {"", " ", "\t"})
        void aMissingTokenIsToldFromABadOne(String bearer) {
            assertThat(refusedToken(Reason.MISSING_TOKEN, bearer).httpStatus()).isEqualTo(401);
            assertThat(zone.fetches()).isZero();
        }

        @Test
        @SuppressWarnings("NullAway") // a careless caller may pass null
        void nullIsAMissingToken() {
            StepVerifier.create(verifier.verify(null, NOTHING_MORE))
                    .expectErrorSatisfies(
                            e -> assertThat(((InboundException) e).code()).isEqualTo("missing_token"))
                    .verify(LIMIT);
        }

        /** The last character of a signature has bits that nothing signs. */
        @Test
        void aTokenHasOneFormOnly() {
            String token = zone.sign(claims());
            char last = token.charAt(token.length() - 1);
            String cut = token.substring(0, token.length() - 1);
            for (char c : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".toCharArray()) {
                if (c != last) {
                    InboundException unused = refusedToken(Reason.INVALID_TOKEN, cut + c);
                }
            }
            for (String other :
                    List.of(token + "==", token + "A", " " + token, token + "\n", token + ".", "." + token)) {
                InboundException unused = refusedToken(Reason.INVALID_TOKEN, other);
            }
        }

        /** RFC 7515 leaves the padding out; a proven signature does not make up for it. */
        @Test
        void partsWithPaddingAreRefused() {
            String header = Base64.getUrlEncoder()
                    .encodeToString("{\"alg\":\"ES256\",\"kid\":\"kid-1\"}".getBytes(StandardCharsets.UTF_8));
            String claims = TestZone.base64(Json.write("claims", claims()));
            assertThat(header).endsWith("=");
            InboundException unused = refusedToken(Reason.INVALID_TOKEN, zone.sign(header + "." + claims));
            assertThat(VerifierFixture.accepted(
                                    verifier, zone.sign(header.replace("=", "") + "." + claims), NOTHING_MORE)
                            .jti())
                    .isNotBlank();
        }

        @Test
        void aHeaderWithAMemberTwiceIsRefused() {
            String header = "{\"alg\":\"none\",\"alg\":\"ES256\",\"kid\":\"kid-1\"}";
            InboundException unused = refusedToken(
                    Reason.INVALID_TOKEN,
                    zone.sign(header.getBytes(StandardCharsets.UTF_8), Json.write("claims", claims())));
        }

        @Test
        void claimsWithAMemberTwiceAreRefused() {
            String json = new String(Json.write("claims", claims()), StandardCharsets.UTF_8);
            String twice = json.substring(0, json.length() - 1) + ",\"scope\":\"admin\"}";
            InboundException unused = refusedToken(
                    Reason.INVALID_TOKEN, zone.sign(zone.header(), twice.getBytes(StandardCharsets.UTF_8)));
            String inside = json.replace(
                    "{\"application_id\":\"app-1\"", "{\"application_id\":\"x\",\"application_id\":\"app-1\"");
            assertThat(inside).isNotEqualTo(json);
            unused = refusedToken(
                    Reason.INVALID_TOKEN, zone.sign(zone.header(), inside.getBytes(StandardCharsets.UTF_8)));
        }

        @ParameterizedTest
        @ValueSource(strings = {"", "null", "[]", "\"x\"", "1", "{", "{}{}", "\u0000", "{\"a\":NaN}"})
        void partsThatAreNoObjectsAreRefused(String part) {
            byte[] bytes = part.getBytes(StandardCharsets.UTF_8);
            InboundException unused =
                    refusedToken(Reason.INVALID_TOKEN, zone.sign(bytes, Json.write("claims", claims())));
            unused = refusedToken(Reason.INVALID_TOKEN, zone.sign(zone.header(), bytes));
        }

        @Test
        void deepNestingIsRefused() {
            Object deep = "x";
            for (int i = 0; i < 40; i++) {
                deep = List.of(deep);
            }
            Map<String, @Nullable Object> header = zone.header();
            header.put("typ", deep);
            InboundException unused =
                    refusedToken(Reason.INVALID_TOKEN, zone.sign(header, Json.write("claims", claims())));
            unused = refused(Reason.INVALID_TOKEN, with("other", deep));
            String open = "[".repeat(2000);
            unused =
                    refusedToken(Reason.INVALID_TOKEN, zone.sign(zone.header(), open.getBytes(StandardCharsets.UTF_8)));
        }

        @Test
        void aTokenOverTheLimitIsRefusedUnread() {
            int room = SignedToken.MAX_LENGTH - zone.sign(with("pad", "")).length();
            String fits = zone.sign(with("pad", "x".repeat(room * 3 / 4 - 2)));
            assertThat(fits.length()).isBetween(SignedToken.MAX_LENGTH - 8, SignedToken.MAX_LENGTH);
            assertThat(VerifierFixture.accepted(verifier, fits, NOTHING_MORE).jti())
                    .isNotBlank();
            String over = zone.sign(with("pad", "x".repeat(room * 3 / 4 + 8)));
            assertThat(over.length()).isGreaterThan(SignedToken.MAX_LENGTH);
            InboundException refusal = refusedToken(Reason.INVALID_TOKEN, over);
            assertThat(refusal.description()).contains("4096");
            assertThat(refusedToken(Reason.INVALID_TOKEN, "x".repeat(4097)).description())
                    .contains("4096");
            assertThat(refusedToken(Reason.INVALID_TOKEN, "x".repeat(4096)).description())
                    .doesNotContain("4096");
            InboundException unused = refusedToken(Reason.INVALID_TOKEN, "x".repeat(10_000_000));
        }

        @Test
        void unknownClaimsAndHeaderMembersDoNoHarm() {
            Map<String, @Nullable Object> header = zone.header();
            header.put("x5t", "abc");
            String token = zone.sign(header, Json.write("claims", with("acr", Collections.singletonList(null))));
            assertThat(VerifierFixture.accepted(verifier, token, NOTHING_MORE).jti())
                    .isNotBlank();
        }
    }

    @Nested
    class Signature {
        @Test
        void algNoneIsRefused() {
            for (String alg : List.of("none", "None", "NONE", "nOnE", "")) {
                Map<String, @Nullable Object> header = zone.header();
                header.put("alg", alg);
                String unsigned = TestZone.base64(Json.write("header", header)) + "."
                        + TestZone.base64(Json.write("claims", claims())) + ".";
                InboundException unused = refusedToken(Reason.INVALID_TOKEN, unsigned);
                unused = refusedToken(
                        Reason.INVALID_TOKEN, unsigned + zone.sign(claims()).split("\\.", -1)[2]);
                unused = refusedToken(Reason.INVALID_TOKEN, zone.sign(header, Json.write("claims", claims())));
            }
        }

        @Test
        void hs256KeyedByThePublicKeyIsRefused() throws GeneralSecurityException {
            Map<String, @Nullable Object> header = zone.header();
            header.put("alg", "HS256");
            String signed = TestZone.base64(Json.write("header", header)) + "."
                    + TestZone.base64(Json.write("claims", claims()));
            for (byte[] secret : List.of(
                    zone.encodedKey(), Base64.getEncoder().encode(zone.encodedKey()), Json.write("jwk", zone.jwk()))) {
                Mac mac = Mac.getInstance("HmacSHA256");
                mac.init(new SecretKeySpec(secret, "HmacSHA256"));
                byte[] tag = mac.doFinal(signed.getBytes(StandardCharsets.US_ASCII));
                InboundException unused = refusedToken(Reason.INVALID_TOKEN, signed + "." + TestZone.base64(tag));
                byte[] twice = new byte[64];
                System.arraycopy(tag, 0, twice, 0, 32);
                System.arraycopy(tag, 0, twice, 32, 32);
                unused = refusedToken(Reason.INVALID_TOKEN, signed + "." + TestZone.base64(twice));
            }
        }

        @Test
        void theKeyOfAnotherZoneIsRefused() {
            TestZone other = new TestZone("kid-1");
            InboundException unused = refusedToken(Reason.INVALID_TOKEN, other.sign(claims()));
            assertThat(accepted(claims()).jti()).isNotBlank();
            unused = refusedToken(Reason.INVALID_TOKEN, new TestZone("kid-2").sign(claims()));
        }

        /** Zeros satisfy the equation for every message unless their range is checked. */
        @Test
        void aSignatureOfZerosIsRefused() {
            String token = zone.sign(claims());
            String unsigned = token.substring(0, token.lastIndexOf('.') + 1);
            InboundException unused = refusedToken(Reason.INVALID_TOKEN, unsigned + TestZone.base64(new byte[64]));
            byte[] ones = new byte[64];
            Arrays.fill(ones, (byte) -1);
            unused = refusedToken(Reason.INVALID_TOKEN, unsigned + TestZone.base64(ones));
        }

        @ParameterizedTest
        @ValueSource(strings = {"crit", "jku", "jwk", "x5u", "x5c", "b64"})
        void aHeaderThatBringsAKeyOrChangesTheReadingIsRefused(String member) {
            Map<String, @Nullable Object> header = zone.header();
            header.put(member, Map.of("jwk", zone.jwk(), "crit", List.of("exp")).getOrDefault(member, "https://evil"));
            InboundException unused =
                    refusedToken(Reason.INVALID_TOKEN, zone.sign(header, Json.write("claims", claims())));
            assertThat(zone.fetches()).isZero();
        }

        /** The attacker's own key, embedded: it is not looked at. */
        @Test
        void aForgedKeyIdIsRefused() {
            TestZone evil = new TestZone("../../evil");
            InboundException unused = refusedToken(Reason.INVALID_TOKEN, evil.sign(claims()));
            for (@Nullable Object kid : new @Nullable Object[] {null, "", " ", 1, List.of("kid-1"), "k".repeat(129)}) {
                Map<String, @Nullable Object> header = zone.header();
                header.put("kid", kid);
                unused = refusedToken(Reason.INVALID_TOKEN, zone.sign(header, Json.write("claims", claims())));
            }
        }

        @Test
        void aKeyIdMayHave128Characters() {
            TestZone long128 = new TestZone("k".repeat(128));
            JwksMandateVerifier own = fixture.builder().transport(long128).build();
            assertThat(VerifierFixture.accepted(own, long128.sign(claims()), NOTHING_MORE)
                            .jti())
                    .isNotBlank();
        }
    }

    @Nested
    class Times {
        @Test
        void aTokenThatIsNotValidYetIsRefusedButForTheTolerance() {
            assertThat(accepted(with("nbf", NOW + 60)).jti()).isNotBlank();
            InboundException unused = refused(Reason.INVALID_TOKEN, with("nbf", NOW + 61));
            for (@Nullable Object nbf : new @Nullable Object[] {null, "1790000000", 1.5, -1, true}) {
                unused = refused(Reason.INVALID_TOKEN, with("nbf", nbf));
            }
        }

        @Test
        void aTokenOfTheFutureIsRefusedButForTheTolerance() {
            assertThat(accepted(with("iat", NOW + 60)).issuedAt()).isEqualTo(Instant.ofEpochSecond(NOW + 60));
            InboundException unused = refused(Reason.INVALID_TOKEN, with("iat", NOW + 61));
        }

        @Test
        void anExpiredTokenIsRefused() {
            InboundException unused = refused(Reason.INVALID_TOKEN, with("exp", NOW - 60));
            unused = refused(Reason.INVALID_TOKEN, with("exp", 0));
        }

        @ParameterizedTest
        @ValueSource(strings = {"iat", "exp"})
        void timesAreWholeSeconds(String claim) {
            for (@Nullable
            Object value : new @Nullable Object[] {
                null,
                "1790000200",
                1790000200.5,
                true,
                List.of(),
                -1L,
                Long.MAX_VALUE,
                Long.MIN_VALUE,
                new BigInteger("9".repeat(100)),
                253_402_300_800L,
                1e300
            }) {
                InboundException unused = refused(Reason.INVALID_TOKEN, with(claim, value));
            }
            InboundException unused = refused(Reason.INVALID_TOKEN, without(claim));
        }

        @Test
        void theLastSecondOfTheYear9999IsATime() {
            assertThat(accepted(with("exp", 253_402_300_799L)).expiresAt()).isEqualTo("9999-12-31T23:59:59Z");
        }

        /** The tolerance of rule 2 lets another rule speak first, and lets nothing in. */
        @Test
        void anExpiryHasNoTolerance() {
            assertThat(accepted(with("exp", NOW + 1)).expiresAt()).isEqualTo(Instant.ofEpochSecond(NOW + 1));
            for (long exp : new long[] {NOW, NOW - 1, NOW - 59}) {
                InboundException unused = refused(Reason.INVALID_TOKEN, with("exp", exp));
                unused = refused(
                        Reason.INSUFFICIENT_SCOPE,
                        with("exp", exp),
                        MandateRequirements.builder().scopes("admin").build());
            }
            InboundException unused = refused(
                    Reason.INVALID_TOKEN,
                    with("exp", NOW - 60),
                    MandateRequirements.builder().scopes("admin").build());
        }
    }

    @Nested
    class Claims {
        /** The platform's own example verifies, and every value of it arrives. */
        @Test
        void theExampleOfThePlatformVerifies() {
            VerifiedMandate mandate = accepted(
                    claims(),
                    MandateRequirements.builder()
                            .scopes("write", "read")
                            .targets(AUDIENCE)
                            .session(true)
                            .delegation(true)
                            .maxHops(1)
                            .applications("app-parent", "app-1")
                            .build());
            assertThat(mandate)
                    .isEqualTo(VerifiedMandate.builder()
                            .zoneId("zone-1")
                            .applicationId("app-1")
                            .subject("user-1", SubjectType.USER)
                            .authorityRecordId("authority-record-1")
                            .rootAuthorityRecordId("authority-record-root")
                            .use(Use.RESOURCE)
                            .jti("018f7d6a-8f4a-7d9f-9a54-5e4fd7df0001")
                            .scopes(List.of("read", "write"))
                            .targets(List.of(AUDIENCE))
                            .audience(List.of(AUDIENCE))
                            .agentSessionId("session-child")
                            .delegationEdgeId("delegation-1")
                            .sourceSessionId("session-parent")
                            .targetSessionId("session-child")
                            .delegationPath(List.of("delegation-1"))
                            .delegationChain(List.of(
                                    new Hop("app-parent", "session-parent", "delegation-1"),
                                    new Hop("app-1", "session-child", null)))
                            .hopCount(1)
                            .delegationGraphEpoch(7L)
                            .issuedAt(Instant.ofEpochSecond(ISSUED_AT))
                            .expiresAt(Instant.ofEpochSecond(EXPIRES_AT))
                            .build());
            assertThat(mandate.scopes()).containsExactly("read", "write");
            assertThat(mandate.sourceSessionId()).hasValue("session-parent");
            assertThat(mandate.targetSessionId()).hasValue("session-child");
            assertThat(mandate.delegationPath()).containsExactly("delegation-1");
            assertThat(mandate.delegationChain()).extracting(Hop::applicationId).containsExactly("app-parent", "app-1");
        }

        /** A mandate as minted by the real STS: an array as audience, and few claims without a delegation. */
        @Test
        void aMandateWithoutSessionAndDelegationVerifies() {
            Map<String, @Nullable Object> claims = with("aud", List.of("resource://other", AUDIENCE));
            claims.put("sub_type", "application");
            for (String name : List.of(
                    "scope",
                    "target",
                    "agent_session_id",
                    "delegation_edge_id",
                    "source_session_id",
                    "target_session_id",
                    "delegation_path",
                    "delegation_chain",
                    "hop_count",
                    "delegation_graph_epoch")) {
                claims.remove(name);
            }
            VerifiedMandate mandate = accepted(claims);
            assertThat(mandate.subjectType()).isEqualTo(SubjectType.APPLICATION);
            assertThat(mandate.scopes()).isEmpty();
            assertThat(mandate.targets()).isEmpty();
            assertThat(mandate.agentSessionId()).isEmpty();
            assertThat(mandate.delegationEdgeId()).isEmpty();
            assertThat(mandate.delegationChain()).isEmpty();
            assertThat(mandate.hopCount()).isZero();
            assertThat(mandate.delegationGraphEpoch()).isEmpty();
        }

        @Test
        void theZoneIsConfiguredAndNeverReadFromTheToken() {
            assertThatThrownBy(() -> fixture.builder().zoneId(" ").build())
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("zoneId");
            assertThat(zone.fetches()).isZero();
            assertThat(accepted(claims()).zoneId()).isEqualTo("zone-1");
            assertThat(zone.requests().get(0).uri())
                    .hasToString("https://sts.example.com/.well-known/jwks.json?zone_id=zone-1");
        }

        @Test
        void theIssuerIsCompared() {
            for (@Nullable
            Object iss : new @Nullable Object[] {
                null,
                "",
                VerifierFixture.ISSUER + "/",
                "https://STS.example.com",
                "http://sts.example.com",
                List.of(VerifierFixture.ISSUER),
                1
            }) {
                InboundException unused = refused(Reason.INVALID_TOKEN, with("iss", iss));
            }
            InboundException unused = refused(Reason.INVALID_TOKEN, without("iss"));
        }

        @Test
        void theAudienceOfAnotherResourceIsRefused() {
            for (@Nullable
            Object aud : new @Nullable Object[] {
                null,
                "",
                "resource://api2",
                "resource://ap",
                List.of(),
                List.of("resource://API"),
                Map.of(AUDIENCE, 1),
                7,
                List.of(AUDIENCE, 7),
                List.of(List.of(AUDIENCE))
            }) {
                InboundException unused = refused(Reason.INVALID_TOKEN, with("aud", aud));
            }
            InboundException unused = refused(Reason.INVALID_TOKEN, without("aud"));
            assertThat(accepted(with("aud", List.of(AUDIENCE))).audience()).containsExactly(AUDIENCE);
        }

        @ParameterizedTest
        @ValueSource(strings = {"jti", "sub", "client_id", "sid", "root_sid", "use", "sub_type"})
        void whatEveryMandateHasIsNeeded(String claim) {
            for (@Nullable
            Object value : new @Nullable Object[] {
                null, "", "  ", "\t", 1, true, List.of("a"), Map.of("a", "b"), "a\nb", "a\u0000", "\u0085x"
            }) {
                InboundException unused = refused(Reason.INVALID_TOKEN, with(claim, value));
            }
            InboundException unused = refused(Reason.INVALID_TOKEN, without(claim));
        }

        @Test
        void theSubjectTypeIsKnown() {
            for (String type : List.of("User", "agent", "service")) {
                InboundException unused = refused(Reason.INVALID_TOKEN, with("sub_type", type));
            }
        }

        @Test
        void theScopeIsAString() {
            for (@Nullable
            Object scope : new @Nullable Object[] {null, List.of("read"), 1, Map.of(), "read\nwrite", "read\twrite"}) {
                InboundException unused = refused(Reason.INVALID_TOKEN, with("scope", scope));
            }
            assertThat(accepted(with("scope", "  b  a b ")).scopes()).containsExactly("b", "a");
        }

        @Test
        void theTokenOfAnotherZoneIsRefused() {
            for (@Nullable Object id : new @Nullable Object[] {"zone-2", "ZONE-1", "", null, 1, List.of("zone-1")}) {
                InboundException unused = refused(Reason.INVALID_ZONE, with("zone_id", id));
            }
            assertThat(refused(Reason.INVALID_ZONE, without("zone_id")).httpStatus())
                    .isEqualTo(401);
        }

        @ParameterizedTest
        @ValueSource(strings = {"agent_session_id", "delegation_edge_id", "source_session_id", "target_session_id"})
        void optionalIdsAreStrings(String claim) {
            for (@Nullable
            Object value : new @Nullable Object[] {null, "", " ", 1, true, List.of("x"), Map.of(), "a\u0007"}) {
                InboundException unused = refused(Reason.INVALID_TOKEN, with(claim, value));
            }
            assertThat(accepted(without(claim)).jti()).isNotBlank();
        }

        @Test
        void optionalListsAndNumbersHaveTheirTypes() {
            InboundException unused;
            for (@Nullable Object value : new @Nullable Object[] {null, "x", 1, List.of(1), Map.of()}) {
                unused = refused(Reason.INVALID_TOKEN, with("delegation_path", value));
            }
            for (@Nullable
            Object value : new @Nullable Object[] {null, "1", 1.5, -1, true, new BigInteger("9".repeat(30))}) {
                unused = refused(Reason.INVALID_TOKEN, with("hop_count", value));
                unused = refused(Reason.INVALID_TOKEN, with("delegation_graph_epoch", value));
            }
            for (@Nullable
            Object value : new @Nullable Object[] {
                null,
                "x",
                Map.of(),
                List.of("app-1"),
                List.of(Map.of()),
                List.of(Map.of("app", "app-1")),
                List.of(Map.of("application_id", 1)),
                List.of(Map.of("application_id", "a", "agent_session_id", 1)),
                List.of(Map.of("application_id", "a", "delegation_edge_id", ""))
            }) {
                unused = refused(Reason.INVALID_TOKEN, with("delegation_chain", value));
            }
        }

        @Test
        void anIssuerOfAnotherNameIsReportedToTheOperatorOnce() {
            PrintStream before = System.err;
            ByteArrayOutputStream logged = new ByteArrayOutputStream();
            System.setErr(new PrintStream(logged, true, StandardCharsets.UTF_8));
            try {
                for (int i = 0; i < 2; i++) {
                    InboundException unused = refused(Reason.INVALID_TOKEN, with("iss", "http://127.0.0.1:8080"));
                }
            } finally {
                System.setErr(before);
            }
            assertThat(logged.toString(StandardCharsets.UTF_8).lines().filter(line -> line.contains("WARN")))
                    .singleElement()
                    .asString()
                    .contains("http://127.0.0.1:8080", VerifierFixture.ISSUER, "issuer(...)");
        }
    }

    @Nested
    class Requirements {
        @Test
        void theUseHasToBeTheRequiredOne() {
            for (String use : List.of("gateway", "session", "Resource", "ambient", "per_call")) {
                InboundException unused = refused(Reason.INVALID_TOKEN, with("use", use));
            }
            MandateRequirements session =
                    MandateRequirements.builder().use(Use.SESSION).build();
            assertThat(accepted(with("use", "session"), session).use()).isEqualTo(Use.SESSION);
            InboundException unused = refused(Reason.INVALID_TOKEN, claims(), session);
            unused = refused(Reason.INVALID_TOKEN, with("use", "gateway"), session);
        }

        @Test
        void requiredScopesAreCompared() {
            InboundException refusal = refused(
                    Reason.INSUFFICIENT_SCOPE,
                    claims(),
                    MandateRequirements.builder().scopes("read", "admin").build());
            assertThat(refusal.httpStatus()).isEqualTo(403);
            assertThat(refusal.hint().orElseThrow()).contains("read admin");
            InboundException unused = refused(
                    Reason.INSUFFICIENT_SCOPE,
                    claims(),
                    MandateRequirements.builder().scopes("Read").build());
            unused = refused(
                    Reason.INSUFFICIENT_SCOPE,
                    claims(),
                    MandateRequirements.builder().scopes("rea").build());
            unused = refused(
                    Reason.INSUFFICIENT_SCOPE,
                    without("scope"),
                    MandateRequirements.builder().scopes("read").build());
        }

        @Test
        void requiredTargetsAreCompared() {
            InboundException unused = refused(
                    Reason.INVALID_TOKEN,
                    claims(),
                    MandateRequirements.builder()
                            .targets(AUDIENCE, "resource://other")
                            .build());
            unused = refused(
                    Reason.INVALID_TOKEN,
                    without("target"),
                    MandateRequirements.builder().targets(AUDIENCE).build());
            for (@Nullable Object target : new @Nullable Object[] {null, AUDIENCE, List.of(1), Map.of(), List.of("")}) {
                unused = refused(Reason.INVALID_TOKEN, with("target", target));
            }
        }

        @Test
        void aSessionAndADelegationCanBeRequired() {
            assertThat(refused(
                                    Reason.SESSION_REQUIRED,
                                    without("agent_session_id"),
                                    MandateRequirements.builder().session(true).build())
                            .httpStatus())
                    .isEqualTo(403);
            assertThat(refused(
                                    Reason.DELEGATION_REQUIRED,
                                    without("delegation_edge_id"),
                                    MandateRequirements.builder()
                                            .delegation(true)
                                            .build())
                            .httpStatus())
                    .isEqualTo(403);
        }

        @Test
        void theHopsAreLimited() {
            assertThat(accepted(with("hop_count", 10)).hopCount()).isEqualTo(10);
            assertThat(accepted(with("hop_count", 0)).hopCount()).isZero();
            assertThat(refused(Reason.HOP_COUNT_EXCEEDED, with("hop_count", 11)).httpStatus())
                    .isEqualTo(403);
            InboundException unused = refused(Reason.HOP_COUNT_EXCEEDED, with("hop_count", Long.MAX_VALUE));
            unused = refused(
                    Reason.HOP_COUNT_EXCEEDED,
                    with("hop_count", 2),
                    MandateRequirements.builder().maxHops(1).build());
            assertThat(accepted(
                                    without("hop_count"),
                                    MandateRequirements.builder().maxHops(1).build())
                            .hopCount())
                    .isZero();
        }

        @Test
        void requiredApplicationsAreInTheChain() {
            assertThat(refused(
                                    Reason.CHAIN_MISMATCH,
                                    claims(),
                                    MandateRequirements.builder()
                                            .applications("app-1", "app-2")
                                            .build())
                            .httpStatus())
                    .isEqualTo(403);
            // The acting application alone is no chain.
            InboundException unused = refused(
                    Reason.CHAIN_MISMATCH,
                    without("delegation_chain"),
                    MandateRequirements.builder().applications("app-1").build());
        }
    }

    @Nested
    class Revocation {
        @Test
        void aStoreOfRevocationsIsNeeded() {
            assertThatThrownBy(() -> JwksMandateVerifier.builder()
                            .zoneId("zone-1")
                            .issuer(VerifierFixture.ISSUER)
                            .audience(AUDIENCE)
                            .transport(zone)
                            .build())
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("revocations")
                    .hasMessageContaining("InMemoryRevocationStore.create()");
        }

        @ParameterizedTest
        @ValueSource(strings = {"authority-record-1", "authority-record-root", "session-child", "delegation-1"})
        void aRevokedAnchorIsRefused(String anchor) {
            assertThat(accepted(claims()).jti()).isNotBlank();
            fixture.store.revoke(anchor, Duration.ofHours(1));
            assertThat(refused(Reason.SESSION_REVOKED, claims()).httpStatus()).isEqualTo(401);
            assertThat(refused(
                                    Reason.INSUFFICIENT_SCOPE,
                                    claims(),
                                    MandateRequirements.builder()
                                            .scopes("admin")
                                            .build())
                            .httpStatus())
                    .as("revocation comes after the requirements")
                    .isEqualTo(403);
        }

        @Test
        void theStoreIsAskedForAllAnchorsAtOnceAndOnlyForGoodMandates() {
            List<Set<String>> asked = new ArrayList<>();
            MandateVerifier watched = fixture.builder()
                    .revocations(anchors -> {
                        asked.add(anchors);
                        return Mono.just(false);
                    })
                    .build();
            InboundException unused =
                    VerifierFixture.refused(Reason.INVALID_TOKEN, watched, zone.sign(with("exp", 1)), NOTHING_MORE);
            assertThat(asked).isEmpty();
            assertThat(VerifierFixture.accepted(watched, zone.sign(claims()), NOTHING_MORE)
                            .jti())
                    .isNotBlank();
            assertThat(asked)
                    .containsExactly(
                            Set.of("authority-record-1", "authority-record-root", "session-child", "delegation-1"));
            Map<String, @Nullable Object> root = without("agent_session_id");
            root.remove("delegation_edge_id");
            root.put("root_sid", "authority-record-1");
            assertThat(VerifierFixture.accepted(watched, zone.sign(root), NOTHING_MORE)
                            .jti())
                    .isNotBlank();
            assertThat(asked.get(1)).containsExactly("authority-record-1");
        }

        @Test
        @SuppressWarnings("NullAway") // a careless store may return null
        void aStoreThatCannotTellLetsNothingIn() {
            Map<String, RevocationStore> broken = new HashMap<>();
            broken.put("error", anchors -> Mono.error(new IllegalStateException("down")));
            broken.put("refusal", anchors -> Mono.error(new InboundException(Reason.INVALID_TOKEN, "not mine to say")));
            broken.put("empty", anchors -> Mono.empty());
            broken.put("null", anchors -> null);
            broken.put("throws", anchors -> {
                throw new IllegalStateException("down");
            });
            broken.forEach((name, store) -> {
                MandateVerifier verifier = fixture.builder().revocations(store).build();
                InboundException refusal = VerifierFixture.refused(
                        Reason.VERIFIER_UNAVAILABLE, verifier, zone.sign(claims()), NOTHING_MORE);
                assertThat(refusal.httpStatus()).as(name).isEqualTo(503);
                assertThat(refusal.isRetryable()).isTrue();
                assertThat(refusal.getMessage()).doesNotContain("down");
                assertThat(refusal.description()).isEqualTo("The revocations cannot be read now");
            });
        }

        @Test
        void aStoreThatIsSilentLetsNothingIn() {
            MandateVerifier silent =
                    fixture.builder().revocations(anchors -> Mono.never()).build();
            String token = zone.sign(claims());
            InboundException unused = VerifierFixture.refused(
                    Reason.VERIFIER_UNAVAILABLE,
                    token,
                    silent.verify(token, NOTHING_MORE),
                    () -> fixture.time.advanceTimeBy(JwksMandateVerifier.STORE_TIMEOUT));
        }

        @Test
        void aStaleEpochIsRefused() {
            fixture.store.setDelegationEpoch("zone-2", 99);
            fixture.store.setDelegationEpoch("zone-1", 7);
            assertThat(accepted(claims()).delegationGraphEpoch()).hasValue(7);
            fixture.store.setDelegationEpoch("zone-1", 8);
            assertThat(refused(Reason.DELEGATION_STALE, claims()).httpStatus()).isEqualTo(401);
            assertThat(accepted(with("delegation_graph_epoch", 8)).delegationGraphEpoch())
                    .hasValue(8);
            assertThat(accepted(without("delegation_graph_epoch")).delegationGraphEpoch())
                    .isEmpty();
        }

        @Test
        void anEpochThatCannotBeReadLetsNothingIn() {
            for (Mono<Long> answer : List.of(Mono.<Long>error(new IllegalStateException("down")), Mono.<Long>never())) {
                MandateVerifier broken = fixture.builder()
                        .revocations(new RevocationStore() {
                            @Override
                            public Mono<Boolean> isRevoked(Set<String> anchors) {
                                return Mono.just(false);
                            }

                            @Override
                            public Mono<Long> delegationEpoch(String zoneId) {
                                return answer;
                            }
                        })
                        .build();
                String token = zone.sign(claims());
                InboundException unused = VerifierFixture.refused(
                        Reason.VERIFIER_UNAVAILABLE,
                        token,
                        broken.verify(token, NOTHING_MORE),
                        () -> fixture.time.advanceTimeBy(JwksMandateVerifier.STORE_TIMEOUT));
            }
        }

        @Test
        void aStoreWithoutEpochsIsEnough() {
            MandateVerifier simple =
                    fixture.builder().revocations(anchors -> Mono.just(false)).build();
            assertThat(VerifierFixture.accepted(simple, zone.sign(claims()), NOTHING_MORE)
                            .jti())
                    .isNotBlank();
        }
    }
}
