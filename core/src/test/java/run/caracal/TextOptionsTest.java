package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.time.Duration;
import java.util.EnumSet;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Stream;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ClientSecretResolver;
import run.caracal.error.ConfigurationException;
import run.caracal.http.Propagation;
import run.caracal.http.TransportOptions;
import run.caracal.test.FakePlatform;
import run.caracal.test.TestZone;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.JwksMandateVerifier;
import run.caracal.verify.MandateRequirements;

/** Every text option with every kind of bad text: rejected where it is set, or accepted because it is harmless. */
class TextOptionsTest {
    /** Texts that most options reject. */
    private enum Bad {
        EMPTY(""),
        BLANK(" "),
        NO_BREAK_SPACE("\u00a0"),
        CONTROL("a\u0007b"),
        LINE_BREAK("a\nb"),
        C1_CONTROL("a\u0085b"),
        MEGABYTE("x".repeat(1_000_000)),
        BEYOND_LATIN_1("λ"),
        HALF_A_SURROGATE_PAIR("a\ud800b");

        private final String text;

        Bad(String text) {
            this.text = text;
        }
    }

    /**
     * An option.
     *
     * @param name the name in its error
     * @param takes the bad texts that it accepts
     */
    private record Option(String name, Function<String, ?> set, Set<Bad> takes) {
        static Option of(String name, Function<String, ?> set, Bad... takes) {
            Set<Bad> all = EnumSet.noneOf(Bad.class);
            all.addAll(Set.of(takes));
            return new Option(name, set, all);
        }

        @Override
        public String toString() {
            return name;
        }
    }

    private static final FakePlatform PLATFORM = new FakePlatform();
    private static final Caracal CARACAL = PLATFORM.client();
    private static final Bad LABEL = Bad.BEYOND_LATIN_1;
    private static final String RESOURCE = "resource://billing-api";

    private static CaracalConfig.Builder config() {
        return PLATFORM.config();
    }

    private static JwksMandateVerifier.Builder verifier() {
        return JwksMandateVerifier.builder()
                .zoneId("zone-1")
                .issuer("https://sts.example.com")
                .audience(RESOURCE)
                .transport(new TestZone("k"))
                .revocations(InMemoryRevocationStore.create());
    }

    private static FetchRequest.Builder fetch() {
        return FetchRequest.builder(RESOURCE, "/x");
    }

    static Stream<Option> options() {
        return Stream.of(
                Option.of("labels", t -> SpawnOptions.builder().labels(t), LABEL),
                Option.of("kind", t -> SpawnOptions.builder().kind(t)),
                Option.of(
                        "idempotencyKey",
                        t -> SpawnOptions.builder().idempotencyKey(t),
                        Bad.C1_CONTROL,
                        Bad.BEYOND_LATIN_1),
                Option.of(
                        "subjectAuthorityRecordId", t -> SpawnOptions.builder().subjectAuthorityRecordId(t)),
                Option.of("traceId", t -> SpawnOptions.builder().traceId(t)),
                Option.of(
                        "metadata",
                        t -> SpawnOptions.builder().metadata(Map.of("key", t)),
                        // Valid in JSON.
                        Bad.EMPTY,
                        Bad.BLANK,
                        Bad.NO_BREAK_SPACE,
                        Bad.CONTROL,
                        Bad.LINE_BREAK,
                        Bad.C1_CONTROL,
                        Bad.BEYOND_LATIN_1),
                Option.of("labels", t -> ServiceOptions.builder().labels(t), LABEL),
                Option.of("kind", t -> ServiceOptions.builder().kind(t)),
                Option.of(
                        "idempotencyKey",
                        t -> ServiceOptions.builder().idempotencyKey(t),
                        Bad.C1_CONTROL,
                        Bad.BEYOND_LATIN_1),
                Option.of("scopes", t -> Grant.narrow(t)),
                Option.of("resource", t -> Grant.narrow("a").resource(t)),
                Option.of(
                        "constraints.broadReason",
                        t -> Grant.narrow("a").constraints(c -> c.broadReason(t)),
                        Bad.BEYOND_LATIN_1),
                Option.of("constraints.resources", t -> Grant.narrow("a").constraints(c -> c.resources(t))),
                Option.of("to.agentSessionId", t -> DelegationSpec.builder().to(t, "app-2")),
                Option.of("to.applicationId", t -> DelegationSpec.builder().to("session-2", t)),
                Option.of("scopes", t -> DelegationSpec.builder().scopes(t)),
                Option.of("resource", t -> DelegationSpec.builder().resource(t)),
                Option.of(
                        "idempotencyKey",
                        t -> DelegationSpec.builder().idempotencyKey(t),
                        Bad.C1_CONTROL,
                        Bad.BEYOND_LATIN_1),
                Option.of("approvalId", t -> MandateOptions.defaults().withApprovalId(t)),
                Option.of("labels", t -> MandateOptions.defaults().withLabels(t), LABEL),
                Option.of("labels", t -> ApplicationOptions.defaults().withLabels(t), LABEL),
                Option.of(
                        "subjectAuthorityRecordId",
                        t -> ApplicationOptions.defaults().withSubjectAuthorityRecordId(t)),
                Option.of("scopes", t -> TransportOptions.defaults().withScopes(t)),
                Option.of("labels", t -> TransportOptions.defaults().withLabels(t), LABEL),
                Option.of("origin", t -> Propagation.origins(t)),
                Option.of("resource", t -> FetchRequest.of(t, "/x")),
                // Letters of all alphabets are sent in UTF-8, as in a URL.
                Option.of(
                        "path",
                        t -> CARACAL.fetch(FetchRequest.of(RESOURCE, "/" + t)),
                        Bad.EMPTY,
                        Bad.MEGABYTE,
                        Bad.BEYOND_LATIN_1),
                Option.of("method", t -> fetch().method(t)),
                Option.of("header", t -> fetch().header(t, "x")),
                // A field may be empty; the server limits its length.
                Option.of("header", t -> fetch().header("Accept", t), Bad.EMPTY, Bad.BLANK, Bad.MEGABYTE),
                Option.of("header", t -> fetch().body("{}", t), Bad.EMPTY, Bad.BLANK, Bad.MEGABYTE),
                Option.of("scopes", t -> fetch().scopes(t)),
                Option.of("labels", t -> fetch().labels(t), LABEL),
                Option.of("approvalId", t -> fetch().approvalId(t)),
                Option.of("requestId", t -> fetch().requestId(t)),
                Option.of("resource", t -> CARACAL.mintMandate(t, "a")),
                Option.of("scopes", t -> CARACAL.mintMandate(RESOURCE, t)),
                Option.of("resource", t -> CARACAL.applicationTransport(t, "a")),
                Option.of("scopes", t -> CARACAL.applicationTransport(RESOURCE, t)),
                Option.of("resource", t -> CARACAL.gatewayRequest(t, "/x")),
                Option.of(
                        "path",
                        t -> CARACAL.gatewayRequest(RESOURCE, "/" + t),
                        Bad.EMPTY,
                        Bad.MEGABYTE,
                        Bad.BEYOND_LATIN_1),
                Option.of("agentSessionId", CARACAL::attachService),
                Option.of("delegationEdgeId", CARACAL::revokeDelegation),
                Option.of("approvalId", CARACAL::waitForApproval),
                Option.of("idToken", CARACAL::federateSubject),
                Option.of("zoneId", t -> config().zoneId(t).build()),
                Option.of("applicationId", t -> config().applicationId(t).build()),
                // A secret may consist of any visible characters.
                Option.of("clientSecret", t -> config().clientSecret(t).build(), Bad.BEYOND_LATIN_1),
                Option.of("secret", ClientSecretResolver::of, Bad.BEYOND_LATIN_1),
                Option.of("subjectToken", t -> config().subjectToken(t).build()),
                Option.of("stsUrl", t -> config().stsUrl(t).build()),
                Option.of("coordinatorUrl", t -> config().coordinatorUrl(t).build()),
                Option.of("gatewayUrl", t -> config().gatewayUrl(t).build()),
                Option.of(
                        "resource",
                        t -> config().resource(t, "https://x.example.com").build()),
                Option.of(
                        "upstreamPrefix",
                        t -> config().resource("resource://x", t).build()),
                Option.of("scopes", t -> config().resourceScopes(RESOURCE, t).build()),
                Option.of("resourceIds", t -> config().resourceIds(t).build()),
                Option.of("defaultKind", t -> config().defaultKind(t).build(), LABEL),
                Option.of("zoneId", t -> verifier().zoneId(t).build()),
                Option.of("audience", t -> verifier().audience(t).build()),
                Option.of("issuer", t -> verifier().issuer(t).build()),
                Option.of("jwksUrl", t -> verifier().jwksUrl(t).build()),
                Option.of("scopes", t -> MandateRequirements.builder().scopes(t)),
                Option.of("targets", t -> MandateRequirements.builder().targets(t)),
                Option.of("applications", t -> MandateRequirements.builder().applications(t)),
                Option.of("id", t -> {
                    InMemoryRevocationStore store = InMemoryRevocationStore.create();
                    store.revoke(t, Duration.ofMinutes(1));
                    return store;
                }));
    }

    private static void set(Option option, Bad bad) {
        var unused = option.set().apply(bad.text);
    }

    @ParameterizedTest
    @MethodSource("options")
    void isRefusedWhereItIsSetOrTaken(Option option) {
        for (Bad bad : Bad.values()) {
            if (option.takes().contains(bad)) {
                assertThatCode(() -> set(option, bad))
                        .as("%s of %s", option, bad)
                        .doesNotThrowAnyException();
                continue;
            }
            Throwable refusal = catchThrowable(() -> set(option, bad));
            assertThat(refusal)
                    .as("%s of %s", option, bad)
                    .isInstanceOfAny(IllegalArgumentException.class, ConfigurationException.class)
                    .hasMessageContaining(option.name());
            assertThat(refusal.getMessage()).hasSizeLessThan(2_000).doesNotContain("\n" + "b", "\u0007");
        }
    }
}
