package run.caracal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.verify.VerifierFixture.LIMIT;
import static run.caracal.verify.VerifierFixture.claims;
import static run.caracal.verify.VerifierFixture.with;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.error.ProtocolException;
import run.caracal.error.TransportException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.test.TestZone;

/** The fetch of the zone's keys, their lifetime in the cache, and failed fetches. */
class JwksTest {
    private static final MandateRequirements NOTHING_MORE = MandateRequirements.defaults();
    private static final Duration SECOND = Duration.ofSeconds(1);

    private final VerifierFixture fixture = new VerifierFixture();
    private final TestZone zone = fixture.zone;
    private final JwksMandateVerifier verifier = fixture.builder().build();

    /** Lives longer than any key here. */
    private final Map<String, @Nullable Object> claims = with("exp", VerifierFixture.NOW + 36_000);

    private void accepted() {
        assertThat(VerifierFixture.accepted(verifier, zone.sign(claims), NOTHING_MORE)
                        .jti())
                .isNotBlank();
    }

    private InboundException refused(Reason reason, String token) {
        return VerifierFixture.refused(reason, verifier, token, NOTHING_MORE);
    }

    private InboundException unavailable() {
        return refused(Reason.VERIFIER_UNAVAILABLE, zone.sign(claims));
    }

    private void down() {
        zone.script(real -> Mono.error(new TransportException(TransportException.Kind.CONNECT, "down", null)));
    }

    private void up() {
        zone.script(real -> real);
    }

    private static Mono<String> concurrently(MandateVerifier verifier, String token) {
        return verifier.verify(token, NOTHING_MORE)
                .map(VerifiedMandate::applicationId)
                .onErrorResume(InboundException.class, e -> Mono.just(e.code()))
                .subscribeOn(Schedulers.parallel());
    }

    @Nested
    class Fetching {
        @Test
        void theKeysAreFetchedOnFirstUseAndKept() {
            assertThat(zone.fetches()).isZero();
            for (int i = 0; i < 5; i++) {
                accepted();
            }
            assertThat(zone.fetches()).isEqualTo(1);
            HttpRequest request = zone.requests().get(0);
            assertThat(request.method()).isEqualTo("GET");
            assertThat(request.maxResponseBytes()).isEqualTo(262_144);
            assertThat(request.timeout()).isEqualTo(Duration.ofSeconds(5));
            assertThat(request.headers()).doesNotContainKey("Authorization");
        }

        @Test
        void afterFiveMinutesTheyAreRenewedBehindTheCallersBacks() {
            accepted();
            fixture.time.advanceTimeBy(Jwks.FRESH.minus(SECOND));
            accepted();
            assertThat(zone.fetches()).isEqualTo(1);
            fixture.time.advanceTimeBy(SECOND);
            Sinks.One<HttpResponse> slow = Sinks.one();
            zone.script(real -> slow.asMono());
            accepted();
            accepted();
            assertThat(zone.fetches()).isEqualTo(2);
            slow.tryEmitValue(TestZone.keys(List.of(zone.jwk()))).orThrow();
            fixture.time.advanceTimeBy(Jwks.FRESH.minus(SECOND));
            accepted();
            assertThat(zone.fetches()).isEqualTo(2);
        }

        @Test
        void whileTheyCannotBeHadTheOldOnesServeForTenMinutesAndNoLonger() {
            accepted();
            down();
            fixture.time.advanceTimeBy(Jwks.FRESH);
            accepted();
            accepted();
            assertThat(zone.fetches()).as("one try, then a pause").isEqualTo(2);
            fixture.time.advanceTimeBy(Jwks.COOLDOWN);
            accepted();
            assertThat(zone.fetches()).isEqualTo(3);
            fixture.time.advanceTimeBy(
                    Jwks.MAX_AGE.minus(Jwks.FRESH).minus(Jwks.COOLDOWN).minus(SECOND));
            accepted();
            fixture.time.advanceTimeBy(SECOND);
            InboundException unused = unavailable();
            up();
            accepted();
        }

        @Test
        void aKeyThatWasTakenOutServesNoLongerThanTenMinutes() {
            TestZone next = new TestZone("kid-2");
            accepted();
            zone.serve(next);
            fixture.time.advanceTimeBy(Jwks.FRESH);
            accepted(); // and renews
            InboundException unused = refused(Reason.INVALID_TOKEN, zone.sign(claims));
            assertThat(VerifierFixture.accepted(verifier, next.sign(claims), NOTHING_MORE)
                            .jti())
                    .isNotBlank();
        }

        @Test
        void verifyingIsLazyAndRepeatable() {
            Mono<VerifiedMandate> verification = verifier.verify(zone.sign(claims), NOTHING_MORE);
            assertThat(zone.fetches()).isZero();
            StepVerifier.create(verification.repeat(2))
                    .expectNextCount(3)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(zone.fetches()).isEqualTo(1);
            fixture.store.revoke("session-child", Duration.ofHours(1));
            StepVerifier.create(verification)
                    .expectError(InboundException.class)
                    .verify(LIMIT);
        }

        /** Fetch, reading of the keys, and signatures on a thread where blocking is reported. */
        @Test
        void nothingBlocksANonBlockingThread() {
            String good = zone.sign(claims);
            String forged = new TestZone("kid-1").sign(claims);
            Mono<String> work = verifier.verify(good, NOTHING_MORE)
                    .then(verifier.verify(forged, NOTHING_MORE))
                    .then(verifier.verify("garbage", NOTHING_MORE))
                    .map(VerifiedMandate::jti)
                    .onErrorResume(
                            InboundException.class,
                            e -> verifier.verify(good, NOTHING_MORE)
                                    .map(m -> Thread.currentThread().getName()));
            StepVerifier.create(work.subscribeOn(Schedulers.parallel()))
                    .assertNext(thread -> assertThat(thread).startsWith("parallel"))
                    .expectComplete()
                    .verify(LIMIT);
        }
    }

    @Nested
    class UnknownKeys {
        @Test
        void aNewKeyIsFoundAtOnce() {
            accepted();
            fixture.time.advanceTimeBy(Jwks.COOLDOWN);
            TestZone next = new TestZone("kid-2");
            zone.serve(next, zone);
            assertThat(VerifierFixture.accepted(verifier, next.sign(claims), NOTHING_MORE)
                            .jti())
                    .isNotBlank();
            accepted();
            assertThat(zone.fetches()).isEqualTo(2);
        }

        @Test
        void forgedKeyIdsDoNotCauseAFetchEach() {
            accepted();
            List<TestZone> forgers = Stream.of("a", "b", "c").map(TestZone::new).toList();
            for (int round = 1; round <= 3; round++) {
                for (TestZone forger : forgers) {
                    InboundException unused = refused(Reason.INVALID_TOKEN, forger.sign(claims));
                }
                assertThat(zone.fetches()).isEqualTo(round);
                fixture.time.advanceTimeBy(Jwks.COOLDOWN);
            }
        }

        /** During an outage an unknown key may be a new one, so its token is not denied: the verifier is unavailable. */
        @Test
        void anUnknownKeyDuringAnOutageIsNoDenial() {
            accepted();
            down();
            fixture.time.advanceTimeBy(Jwks.COOLDOWN);
            String unknown = new TestZone("kid-2").sign(claims);
            InboundException unused = refused(Reason.VERIFIER_UNAVAILABLE, unknown);
            unused = refused(Reason.VERIFIER_UNAVAILABLE, unknown);
            assertThat(zone.fetches()).isEqualTo(2);
            accepted();
            up();
            fixture.time.advanceTimeBy(Jwks.COOLDOWN);
            unused = refused(Reason.INVALID_TOKEN, unknown);
        }
    }

    @Nested
    class Failing {
        @Test
        void errorsAreNotKept() {
            down();
            InboundException refusal = unavailable();
            assertThat(refusal.httpStatus()).isEqualTo(503);
            assertThat(refusal).hasCauseInstanceOf(TransportException.class);
            InboundException unused = unavailable();
            assertThat(zone.fetches()).isEqualTo(2);
            up();
            accepted();
        }

        @Test
        void aSilentStsIsGivenUpAfterFiveSeconds() {
            zone.script(real -> Mono.never());
            String token = zone.sign(claims);
            InboundException unused = VerifierFixture.refused(
                    Reason.VERIFIER_UNAVAILABLE,
                    token,
                    verifier.verify(token, NOTHING_MORE),
                    () -> fixture.time.advanceTimeBy(Jwks.FETCH_TIMEOUT));
            up();
            accepted();
        }

        @Test
        @SuppressWarnings("NullAway") // a careless transport may return null
        void aBrokenTransportLetsNothingIn() {
            zone.script(real -> Mono.empty());
            assertThat(unavailable().getCause()).hasMessageContaining("no answer");
            InboundException unused;
            zone.script(real -> {
                throw new IllegalStateException("broken");
            });
            unused = unavailable();
            zone.script(real -> null);
            unused = unavailable();
            up();
            accepted();
        }
    }

    static Stream<Arguments> badAnswers() {
        TestZone zone = new TestZone("kid-1");
        Map<String, @Nullable Object> offCurve = zone.jwk();
        offCurve.put("y", offCurve.get("x"));
        Map<String, @Nullable Object> rsa = zone.jwk();
        rsa.put("kty", "RSA");
        Map<String, @Nullable Object> wrongCurve = zone.jwk();
        wrongCurve.put("crv", "P-384");
        Map<String, @Nullable Object> wrongAlgorithm = zone.jwk();
        wrongAlgorithm.put("alg", "HS256");
        Map<String, @Nullable Object> forEncryption = zone.jwk();
        forEncryption.put("use", "enc");
        Map<String, @Nullable Object> secret = zone.jwk();
        secret.put("kty", "oct");
        secret.put("k", "c2VjcmV0");
        return Stream.of(
                Arguments.of("404", answer(404, "{\"error\":\"resource_not_found\"}")),
                Arguments.of("500", answer(500, "oops")),
                Arguments.of("redirect", new HttpResponse(302, Map.of("Location", "https://evil"), new byte[0])),
                Arguments.of("not modified", answer(304, "")),
                Arguments.of("empty", answer(200, "")),
                Arguments.of("html", answer(200, "<html>login</html>")),
                Arguments.of("list", answer(200, "[]")),
                Arguments.of("no keys member", answer(200, "{}")),
                Arguments.of("keys is no list", answer(200, "{\"keys\":{}}")),
                Arguments.of("no keys", TestZone.keys(List.of())),
                Arguments.of("keys are no objects", answer(200, "{\"keys\":[1,null,\"x\",[]]}")),
                Arguments.of("cut off", answer(200, "{\"keys\":[{\"kty\":\"EC\"")),
                Arguments.of("twice", answer(200, "{\"keys\":[],\"keys\":[]}")),
                Arguments.of("deep", answer(200, "[".repeat(100_000))),
                Arguments.of("huge", answer(200, " ".repeat(Jwks.MAX_BYTES + 1))),
                Arguments.of("many", TestZone.keys(Collections.nCopies(Jwks.MAX_KEYS + 1, rsa))),
                Arguments.of("two of one id", TestZone.keys(List.of(zone.jwk(), new TestZone("kid-1").jwk()))),
                Arguments.of("off the curve", TestZone.keys(List.of(offCurve))),
                Arguments.of("RSA", TestZone.keys(List.of(rsa))),
                Arguments.of("another curve", TestZone.keys(List.of(wrongCurve))),
                Arguments.of("another algorithm", TestZone.keys(List.of(wrongAlgorithm))),
                Arguments.of("for encryption", TestZone.keys(List.of(forEncryption))),
                Arguments.of("a secret", TestZone.keys(List.of(secret))));
    }

    private static HttpResponse answer(int status, String body) {
        return new HttpResponse(status, Map.of(), body.getBytes(StandardCharsets.UTF_8));
    }

    @Nested
    class Answers {
        @ParameterizedTest(name = "{0}")
        @MethodSource("run.caracal.verify.JwksTest#badAnswers")
        void anAnswerThatIsNoSetOfKeysLetsNothingIn(String name, HttpResponse answer) {
            zone.script(real -> Mono.just(answer));
            InboundException refusal = unavailable();
            assertThat(refusal.getMessage()).as(name).doesNotContain("sts.example.com");
            assertThat(refusal.description()).isEqualTo("The keys of the zone cannot be read now");
            assertThat(refusal).hasCauseInstanceOf(ProtocolException.class);
            up();
            accepted();
        }

        @Test
        void keysOfOtherKindsBesideTheZonesOwnDoNoHarm() {
            Map<String, @Nullable Object> rsa = new TestZone("rsa").jwk();
            rsa.put("kty", "RSA");
            Map<String, @Nullable Object> plain = zone.jwk();
            plain.remove("alg");
            plain.remove("use");
            zone.script(real -> Mono.just(TestZone.keys(List.of(rsa, plain))));
            accepted();
        }

        @Test
        void aSetOfKeysHasItsLimits() {
            List<Map<String, @Nullable Object>> most = new ArrayList<>(List.of(zone.jwk()));
            Map<String, @Nullable Object> rsa = zone.jwk();
            rsa.put("kty", "RSA");
            most.addAll(Collections.nCopies(Jwks.MAX_KEYS - 1, rsa));
            String keys = new String(TestZone.keys(most).body(), StandardCharsets.UTF_8);
            String largest = keys + " ".repeat(Jwks.MAX_BYTES - keys.length());
            zone.script(real -> Mono.just(answer(200, largest + " ")));
            InboundException unused = unavailable();
            zone.script(real -> Mono.just(answer(200, largest)));
            accepted();
        }
    }

    @Nested
    class Sharing {
        @Test
        void aWaiterThatLeavesHarmsNobody() {
            Sinks.One<HttpResponse> slow = Sinks.one();
            AtomicInteger cancelled = new AtomicInteger();
            zone.script(real -> slow.asMono().doOnCancel(cancelled::incrementAndGet));
            List<String> seen = new ArrayList<>();
            Mono<VerifiedMandate> verification = verifier.verify(zone.sign(claims), NOTHING_MORE);
            Disposable first = verification.subscribe(m -> seen.add("first"));
            Disposable second = verification.subscribe(m -> seen.add("second"));
            first.dispose();
            slow.tryEmitValue(TestZone.keys(List.of(zone.jwk()))).orThrow();
            assertThat(seen).containsExactly("second");
            assertThat(second.isDisposed()).isTrue();
            assertThat(cancelled).hasValue(0);
        }

        /** A forged token whose caller cancels neither stops the fetch nor keeps other callers from the next one. */
        @Test
        void theFetchGoesOnWhenAllHaveLeft() {
            Sinks.One<HttpResponse> slow = Sinks.one();
            zone.script(real -> slow.asMono());
            Disposable only = verifier.verify(zone.sign(claims), NOTHING_MORE).subscribe();
            only.dispose();
            slow.tryEmitValue(TestZone.keys(List.of(zone.jwk()))).orThrow();
            accepted();
            assertThat(zone.fetches()).isEqualTo(1);
        }

        /** Tokens of an unknown key, since those of a known one cost a signature each. */
        @Test
        void concurrentVerificationsOnAColdCacheShareOneFetch() {
            String forged = new TestZone("kid-2").sign(claims);
            zone.script(real -> real.delayElement(Duration.ofNanos(50_000), Schedulers.parallel()));
            for (int round = 1; round <= 100; round++) {
                JwksMandateVerifier fresh =
                        fixture.builder().timer(Schedulers.parallel()).build();
                StepVerifier.create(Flux.range(0, 500)
                                .flatMap(i -> concurrently(fresh, forged), 500)
                                .distinct())
                        .expectNext("invalid_token")
                        .expectComplete()
                        .verify(LIMIT);
                assertThat(zone.fetches()).as("round %d", round).isEqualTo(round);
            }
        }

        @Test
        void allWhoWaitForTheKeysAreLetIn() {
            long now = Instant.now().getEpochSecond();
            Map<String, @Nullable Object> current = claims();
            current.put("iat", now);
            current.put("exp", now + 600);
            String token = zone.sign(current);
            zone.script(real -> real.delayElement(Duration.ofNanos(50_000), Schedulers.parallel()));
            JwksMandateVerifier fresh = fixture.builder()
                    .revocations(InMemoryRevocationStore.create())
                    .timer(Schedulers.parallel())
                    .build();
            StepVerifier.create(Flux.range(0, 50).flatMap(i -> concurrently(fresh, token), 50))
                    .expectNextSequence(Collections.nCopies(50, "app-1"))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(zone.fetches()).isEqualTo(1);
        }

        /** The fetch is shared, so nothing of the first caller may reach it. */
        @Test
        void noCallersContextReachesTheFetch() {
            List<Boolean> clean = new ArrayList<>();
            zone.script(real -> Mono.deferContextual(view -> {
                clean.add(!view.hasKey("user"));
                return real;
            }));
            StepVerifier.create(verifier.verify(zone.sign(claims), NOTHING_MORE).contextWrite(c -> c.put("user", "u0")))
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(clean).containsExactly(true);
        }
    }

    @Nested
    class Closing {
        @Test
        void disposeEndsTheFetchAndRefusesEverythingAfter() {
            AtomicInteger cancelled = new AtomicInteger();
            zone.script(real -> Mono.<HttpResponse>never().doOnCancel(cancelled::incrementAndGet));
            String token = zone.sign(claims);
            InboundException unused = VerifierFixture.refused(
                    Reason.VERIFIER_UNAVAILABLE, token, verifier.verify(token, NOTHING_MORE), verifier::dispose);
            assertThat(cancelled).hasValue(1);
            assertThat(verifier.isDisposed()).isTrue();
            up();
            assertThat(unavailable().description()).isEqualTo("The verifier is closed");
            assertThat(zone.fetches()).isEqualTo(1);
        }

        /** An error of the fetch while the verifier closes has no subscriber left. */
        @Test
        void anErrorThatMeetsTheCloseIsNotDropped() {
            zone.script(real ->
                    Mono.<HttpResponse>error(new IllegalStateException("down")).doOnError(down -> verifier.dispose()));
            assertThat(unavailable()).hasRootCauseMessage("the verifier is closed, or got no answer");
        }
    }
}
