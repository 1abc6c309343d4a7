package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static run.caracal.Calls.assertFails;
import static run.caracal.Calls.form;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ClosedException;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ProtocolException;
import run.caracal.error.StsException;
import run.caracal.error.TransportException;
import run.caracal.event.CaracalEvent;
import run.caracal.http.HttpRequest;
import run.caracal.test.FakePlatform;

/** Users of other identity providers. */
class FederationTest {
    private static final String ID_TOKEN = FakePlatform.jwt("{\"alg\":\"RS256\",\"kid\":\"k\"}", claims(3600));

    @RegisterExtension
    private final FakePlatform platform = new FakePlatform();

    private final Caracal caracal = platform.client();

    private static String claims(long secondsLeft) {
        return "{\"iss\":\"https://idp.example.com\",\"sub\":\"ann\",\"exp\":"
                + Instant.now().plusSeconds(secondsLeft).getEpochSecond() + "}";
    }

    private List<HttpRequest> exchanges() {
        return platform.requests(FakePlatform::isToken);
    }

    @Test
    void aUsersTokenGivesTheAuthorityRecordToWhichSessionsAreAnchored() {
        platform.nextUser("{\"sid\":\"record-1\",\"sub\":\"ann\"}");
        List<CaracalEvent> events = new CopyOnWriteArrayList<>();
        Disposable listening = caracal.onEvent(events::add);
        Mono<String> work = caracal.federateSubject(ID_TOKEN).flatMap(user -> {
            assertThat(user.authorityRecordId()).isEqualTo("record-1");
            assertThat(user.value()).startsWith("eyJ");
            assertThat(user.toString()).contains("record-1").doesNotContain("eyJ");
            assertThat(user.remaining()).isBetween(Duration.ofSeconds(880), Duration.ofSeconds(900));
            return caracal.spawn(
                    SpawnOptions.builder()
                            .subjectAuthorityRecordId(user.authorityRecordId())
                            .build(),
                    session -> Mono.justOrEmpty(session.authorityRecordId()));
        });
        assertThat(exchanges()).isEmpty();
        StepVerifier.create(work).expectNext("record-1").expectComplete().verify(LIMIT);
        assertThat(form(exchanges().get(0)))
                .containsEntry("subject_token", ID_TOKEN)
                .containsEntry("subject_token_type", "urn:ietf:params:oauth:token-type:id_token")
                .containsEntry("client_secret", "the-client-secret")
                .doesNotContainKeys("scope", "resource", "ttl_seconds", "agent_session_id", "approval_id");
        assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(0)))
                .contains("\"subject_session_id\":\"record-1\"");
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        listening.dispose();
        assertThat(events)
                .filteredOn(e -> e instanceof CaracalEvent.SubjectFederated)
                .singleElement()
                .satisfies(e -> assertThat(((CaracalEvent.SubjectFederated) e).authorityRecordId())
                        .isEqualTo("record-1"));
        assertThat(events.toString()).doesNotContain("eyJ");
    }

    @Test
    void theUserIsHandedOnToEverySessionBelow() {
        SpawnOptions forAnn =
                SpawnOptions.builder().subjectAuthorityRecordId("record-1").build();
        SpawnOptions narrowed = SpawnOptions.builder()
                .grant(Grant.narrow("billing:charge").resource("resource://billing-api"))
                .build();
        Mono<String> records = caracal.spawn(
                forAnn,
                parent -> caracal.mintMandate("resource://billing-api", "billing:charge")
                        .then(caracal.spawn(narrowed, Mono::just))
                        .then(caracal.spawn(child ->
                                caracal.spawn(grandchild -> Mono.justOrEmpty(grandchild.authorityRecordId())))));
        StepVerifier.create(records).expectNext("record-1").expectComplete().verify(LIMIT);
        assertThat(platform.requests(FakePlatform::isOpen))
                .as("the session, its helper, a narrowed child, a child and its child")
                .hasSize(5)
                .allSatisfy(open -> assertThat(FakePlatform.body(open))
                        .contains("\"subject_session_id\":\"record-1\"")
                        .doesNotContain("subject_token"));
        StepVerifier.create(caracal.spawn(Mono::just))
                .assertNext(root -> assertThat(root.authorityRecordId()).isEmpty())
                .expectComplete()
                .verify(LIMIT);
        assertThat(FakePlatform.body(platform.requests(FakePlatform::isOpen).get(5)))
                .doesNotContain("subject_session_id");
    }

    @Test
    void theProofOfAUserGoesWithTheSessionOpenedForIt() {
        platform.nextUser("{\"sid\":\"record-1\",\"sub\":\"ann\"}");
        FederatedSubject user =
                Objects.requireNonNull(caracal.federateSubject(ID_TOKEN).block(LIMIT));
        SpawnOptions options = SpawnOptions.builder().subject(user).build();
        assertThat(options.subjectAuthorityRecordId()).contains("record-1");
        assertThat(options.toString()).doesNotContain(user.value());
        assertThat(options.mutate().build()).isEqualTo(options);
        StepVerifier.create(caracal.spawn(options, parent -> caracal.spawn(Mono::just)))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        StepVerifier.create(caracal.spawn(
                        options.mutate().subjectAuthorityRecordId("record-2").build(), Mono::just))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        List<HttpRequest> opens = platform.requests(FakePlatform::isOpen);
        assertThat(FakePlatform.body(opens.get(0)))
                .contains("\"subject_session_id\":\"record-1\"", "\"subject_token\":\"" + user.value() + "\"");
        assertThat(FakePlatform.body(opens.get(1)))
                .as("a child names the record alone")
                .contains("\"subject_session_id\":\"record-1\"")
                .doesNotContain("subject_token");
        assertThat(FakePlatform.body(opens.get(2)))
                .contains("\"subject_session_id\":\"record-2\"")
                .doesNotContain("subject_token");
        assertThat(opens.toString()).doesNotContain(user.value());
    }

    @Test
    void nothingIsKeptAndTheTimeIsSent() {
        platform.nextUser("{\"sid\":\"record-1\"}");
        platform.nextUser("{\"sid\":\"record-2\"}");
        Mono<FederatedSubject> stored = caracal.federateSubject(ID_TOKEN, Duration.ofSeconds(1));
        StepVerifier.create(stored.map(FederatedSubject::authorityRecordId)
                        .concatWith(stored.map(FederatedSubject::authorityRecordId)))
                .expectNext("record-1", "record-2")
                .expectComplete()
                .verify(LIMIT);
        assertThat(exchanges()).hasSize(2).allSatisfy(e -> assertThat(form(e)).containsEntry("ttl_seconds", "1"));
        for (Duration ttl : List.of(Duration.ZERO, Duration.ofMillis(1500), Duration.ofSeconds(3601))) {
            assertThatThrownBy(() -> caracal.federateSubject(ID_TOKEN, ttl))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("ttl");
        }
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "opaque-secret-token",
                "a.b.c",
                "secret\nsecret",
                "eyJhbGciOiJSUzI1NiJ9..c2lnbmF0dXJl",
                "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl",
                "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOjE3MDAwMDAwMDB9.c2lnbmF0dXJl",
                "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.",
                "eyJhbGciOiJSUzI1NiJ9.eyJleHAiOnRydWV9.c2lnbmF0dXJl"
            })
    void aTokenThatIsPlainlyOfNoUseIsRefusedBeforeAnyCallAndNotShown(String token) {
        assertThatThrownBy(() -> caracal.federateSubject(token))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageStartingWith("idToken: ")
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain("eyJ", "secret", "c2ln"));
        assertThat(exchanges()).isEmpty();
    }

    @Test
    void clocksMayBeOffByAMinute() {
        platform.nextUser("{\"sid\":\"record-1\"}");
        String ends = FakePlatform.jwt("{\"alg\":\"RS256\"}", claims(-30));
        StepVerifier.create(caracal.federateSubject(ends))
                .expectNextCount(1)
                .expectComplete()
                .verify(LIMIT);
        assertThatThrownBy(() -> caracal.federateSubject(FakePlatform.jwt("{\"alg\":\"RS256\"}", claims(-90))))
                .hasMessageContaining("expired");
    }

    @Test
    void whatTheStsRefusesIsTypedAndOneAttempt() {
        platform.nextAnswer(
                FakePlatform::isToken,
                401,
                "{\"error\":\"invalid_token\",\"error_description\":\"invalid subject_token: " + ID_TOKEN + "\"}");
        StepVerifier.create(caracal.federateSubject(ID_TOKEN))
                .expectErrorSatisfies(e -> assertThat(e)
                        .isInstanceOf(StsException.InvalidToken.class)
                        .hasMessageContaining("issuer")
                        .hasMessageNotContaining("eyJ"))
                .verify(LIMIT);
        platform.nextAnswer(FakePlatform::isToken, 503, "{\"error\":\"sts_unavailable\"}");
        assertFails(caracal.federateSubject(ID_TOKEN), StsException.ServiceUnavailable.class);
        platform.nextLost(FakePlatform::isToken, new TransportException(TransportException.Kind.IO, "lost", null));
        assertFails(caracal.federateSubject(ID_TOKEN), TransportException.class);
        assertThat(exchanges()).hasSize(3);
    }

    @ParameterizedTest
    @ValueSource(strings = {"{}", "{\"sid\":5}", "{\"sid\":\"\"}", "{\"sid\":\"../x\"}", "[]", "{"})
    void aTokenWithoutAnAuthorityRecordIsAProtocolError(String claims) {
        platform.nextUser(claims);
        assertFails(caracal.federateSubject(ID_TOKEN), ProtocolException.class, "sid");
    }

    @Test
    void itNeedsAClientSecretAndAnOpenClient() {
        Caracal fixed = Caracal.create(CaracalConfig.builder()
                .zoneId("zone-1")
                .applicationId("app-1")
                .subjectToken("static-token")
                .transport(platform)
                .build());
        assertFails(
                fixed.federateSubject(ID_TOKEN),
                ConfigurationException.class,
                "identity token",
                "CARACAL_APP_CLIENT_SECRET");
        StepVerifier.create(fixed.disposeLater()).expectComplete().verify(LIMIT);
        assertFails(fixed.federateSubject(ID_TOKEN), ClosedException.class);
        assertThat(exchanges()).isEmpty();
    }
}
