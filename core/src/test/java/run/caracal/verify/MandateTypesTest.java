package run.caracal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;
import run.caracal.error.ConfigurationException;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.test.FakePlatform;
import run.caracal.test.TestZone;
import run.caracal.verify.VerifiedMandate.SubjectType;
import run.caracal.verify.VerifiedMandate.Use;

/** The types that boundaries and verifiers of one's own are built on. */
class MandateTypesTest {
    private static final Duration LIMIT = VerifierFixture.LIMIT;

    private static VerifiedMandate.Builder mandate() {
        return VerifiedMandate.builder()
                .zoneId("zone-1")
                .applicationId("app-1")
                .subject("app-1", SubjectType.APPLICATION)
                .authorityRecordId("record-1")
                .rootAuthorityRecordId("record-1")
                .use(Use.RESOURCE)
                .jti("jti-1")
                .issuedAt(Instant.EPOCH)
                .expiresAt(Instant.EPOCH.plusSeconds(60));
    }

    @Test
    void aLambdaIsAVerifier() {
        MandateVerifier own = (bearer, required) -> bearer.equals("open sesame")
                ? Mono.just(mandate().scopes(required.scopes()).build())
                : Mono.error(new InboundException(Reason.INVALID_TOKEN, "not the word"));
        VerifiedMandate verified = own.verify(
                        "open sesame",
                        MandateRequirements.builder().scopes("read").build())
                .block(LIMIT);
        assertThat(verified).isEqualTo(mandate().scopes(List.of("read")).build());
    }

    @Test
    void aMandateIsImmutableAndComparedByItsClaims() {
        List<String> targets = new ArrayList<>(List.of("resource://a"));
        VerifiedMandate one = mandate().targets(targets).hopCount(2).build();
        targets.add("resource://b");
        assertThat(one.targets()).containsExactly("resource://a");
        assertThat(one)
                .isEqualTo(
                        mandate().targets(List.of("resource://a")).hopCount(2).build())
                .isNotEqualTo(mandate().build())
                .hasSameHashCodeAs(
                        mandate().targets(List.of("resource://a")).hopCount(2).build());
        assertThatThrownBy(() -> one.scopes().add("x")).isInstanceOf(UnsupportedOperationException.class);
        assertThat(one.toString()).contains("app-1").doesNotContain("jti-1");
        assertThat(one.hashCode()).isNotEqualTo(mandate().build().hashCode());
    }

    @Test
    void aMandateNamesTheClaimThatItLacks() {
        assertThatThrownBy(() -> VerifiedMandate.builder().build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("zoneId");
        assertThatThrownBy(() -> mandate().applicationId(" ").build())
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("applicationId");
        assertThatThrownBy(() -> mandate().hopCount(-1)).isInstanceOf(IllegalArgumentException.class);
    }

    @Test
    void requirementsAreCheckedAndCopied() {
        MandateRequirements all = MandateRequirements.builder()
                .use(Use.SESSION)
                .scopes("b", "a")
                .targets("resource://x")
                .applications("app-1")
                .session(true)
                .delegation(true)
                .maxHops(3)
                .build();
        assertThat(all.scopes()).containsExactly("b", "a");
        assertThat(all.targets()).containsExactly("resource://x");
        assertThat(all.applications()).containsExactly("app-1");
        assertThat(all.session()).isTrue();
        assertThat(all.delegation()).isTrue();
        assertThat(all.maxHops()).isEqualTo(3);
        assertThat(all.use()).isEqualTo(Use.SESSION);
        assertThat(all)
                .isNotEqualTo(all.mutate().maxHops(4).build())
                .isNotEqualTo(all.mutate().maxHops(10).build())
                .hasToString("MandateRequirements[use=SESSION, scopes=[b, a], targets=[resource://x],"
                        + " applications=[app-1], session=true, delegation=true, maxHops=3]")
                .hasSameHashCodeAs(all.mutate().maxHops(4).maxHops(3).build())
                .doesNotHaveSameHashCodeAs(MandateRequirements.defaults())
                .isEqualTo(all.mutate().maxHops(4).maxHops(3).build());
        assertThat(MandateRequirements.defaults().use()).isEqualTo(Use.RESOURCE);
        for (int hops : new int[] {0, -1, 11}) {
            assertThatThrownBy(() -> all.mutate().maxHops(hops))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("maxHops");
        }
        assertThatThrownBy(() -> all.mutate().scopes("a b")).hasMessageStartingWith("scopes: ");
        assertThatThrownBy(() -> all.mutate().targets("")).hasMessageStartingWith("targets: ");
        assertThatThrownBy(() -> all.mutate().applications("a", "..")).hasMessageStartingWith("applications: ");
        assertThatCode(() -> all.mutate().scopes().targets().applications().build())
                .doesNotThrowAnyException();
    }

    @Test
    void aRefusalHoldsNoToken() {
        String token = new TestZone("kid-1").sign(VerifierFixture.claims());
        InboundException refusal = new InboundException(
                Reason.INVALID_TOKEN, "bad\r\n" + token + "x".repeat(1000), "send Bearer " + token, null);
        assertThat(refusal.toString() + refusal.description() + refusal.hint())
                .doesNotContain(token.substring(0, 20))
                .doesNotContain("\n");
        assertThat(refusal.description().length()).isLessThanOrEqualTo(256);
        assertThat(new InboundException(Reason.MISSING_TOKEN, "none").hint()).isEmpty();
    }

    @Test
    void reasonsHaveTheCodesAndStatusesOfThePlatform() {
        Map<String, Integer> statuses = new TreeMap<>();
        for (Reason reason : Reason.values()) {
            statuses.put(reason.code(), reason.httpStatus());
        }
        assertThat(statuses)
                .containsExactlyInAnyOrderEntriesOf(Map.ofEntries(
                        Map.entry("missing_token", 401),
                        Map.entry("invalid_token", 401),
                        Map.entry("invalid_zone", 401),
                        Map.entry("insufficient_scope", 403),
                        Map.entry("session_required", 403),
                        Map.entry("delegation_required", 403),
                        Map.entry("hop_count_exceeded", 403),
                        Map.entry("chain_mismatch", 403),
                        Map.entry("session_revoked", 401),
                        Map.entry("delegation_stale", 401),
                        Map.entry("verifier_unavailable", 503)));
    }

    @Test
    void allFaultsOfAVerifierAreReportedTogether() {
        assertThatThrownBy(() -> JwksMandateVerifier.builder().build())
                .isInstanceOfSatisfying(
                        ConfigurationException.class,
                        e -> assertThat(e.problems())
                                .extracting(ConfigurationException.Problem::setting)
                                .containsExactlyInAnyOrder("zoneId", "audience", "issuer", "transport", "revocations"));
    }

    /** Keys that are fetched over plain http can be replaced on the way. */
    @Test
    void keysComeOverHttpsOrFromThisMachine() {
        VerifierFixture fixture = new VerifierFixture();
        for (String url : List.of(
                "http://sts.example.com",
                "ftp://sts",
                "sts.example.com",
                "https://u@sts.example.com",
                "https://a/?b")) {
            assertThatThrownBy(() -> fixture.builder().issuer(url).build())
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("issuer");
        }
        assertThatThrownBy(
                        () -> fixture.builder().jwksUrl("http://10.0.0.1/keys").build())
                .hasMessageContaining("jwksUrl");
        assertThatThrownBy(() -> fixture.builder()
                        .issuer(" ")
                        .jwksUrl("https://keys.example.com/jwks.json")
                        .build())
                .isInstanceOf(ConfigurationException.class)
                .hasMessageContaining("issuer");
        assertThatCode(() -> fixture.builder().issuer("http://localhost:8080").build())
                .doesNotThrowAnyException();
        assertThatCode(() -> fixture.builder()
                        .issuer("http://sts:8080")
                        .jwksUrl("https://keys.example.com/jwks.json?zone_id=zone-1")
                        .build())
                .doesNotThrowAnyException();
        assertThatCode(() -> fixture.builder()
                        .issuer("http://sts:8080")
                        .allowInsecureUrls(true)
                        .build())
                .doesNotThrowAnyException();
    }

    @Test
    void theIssuersSlashIsKeptForTheTokenButNotForTheKeys() {
        VerifierFixture fixture = new VerifierFixture();
        MandateVerifier verifier =
                fixture.builder().issuer("https://sts.example.com/").build();
        Map<String, @Nullable Object> claims = VerifierFixture.with("iss", "https://sts.example.com/");
        assertThat(VerifierFixture.accepted(verifier, fixture.zone.sign(claims), MandateRequirements.defaults())
                        .jti())
                .isNotBlank();
        assertThat(fixture.zone.requests().get(0).uri())
                .hasToString("https://sts.example.com/.well-known/jwks.json?zone_id=zone-1");
    }

    @Test
    void aTokenAndABuilderShowNoSecret() {
        VerifierFixture fixture = new VerifierFixture();
        assertThat(SignedToken.parse(fixture.zone.sign(VerifierFixture.claims())))
                .hasToString("SignedToken[***]");
        assertThat(fixture.builder())
                .hasToString("JwksMandateVerifier.Builder[zoneId=zone-1, audience=resource://api]");
    }

    /** A client lends its zone, its STS and its transport. */
    @Test
    void aClientStartsAVerifierOfItsZone() {
        FakePlatform platform = new FakePlatform();
        TestZone zone = new TestZone("kid-1");
        platform.next(
                request -> request.uri().getPath().equals("/.well-known/jwks.json"),
                real -> Mono.just(TestZone.keys(List.of(zone.jwk()))));
        Caracal caracal = platform.client();
        long now = Instant.now().getEpochSecond();
        Map<String, @Nullable Object> claims = VerifierFixture.with("iat", now);
        claims.put("exp", now + 600);
        JwksMandateVerifier verifier = caracal.mandateVerifier()
                .audience(VerifierFixture.AUDIENCE)
                .revocations(InMemoryRevocationStore.create())
                .build();
        assertThat(VerifierFixture.accepted(verifier, zone.sign(claims), MandateRequirements.defaults())
                        .subject())
                .isEqualTo("user-1");
        assertThat(verifier)
                .hasToString(
                        "JwksMandateVerifier[zoneId=zone-1, issuer=https://sts.example.com, audience=resource://api]");
        verifier.dispose();
        caracal.dispose();
    }
}
