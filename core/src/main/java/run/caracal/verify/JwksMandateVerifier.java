package run.caracal.verify;

import static run.caracal.verify.Claims.invalid;

import java.net.URI;
import java.security.Provider;
import java.time.Duration;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.http.HttpTransport;
import run.caracal.internal.Calls;
import run.caracal.internal.ParallelTimer;
import run.caracal.internal.Supplied;
import run.caracal.internal.config.Problems;
import run.caracal.internal.config.Rules;
import run.caracal.internal.wire.StsRequests;

/**
 * Verifies mandates with the public keys of their zone, as the platform's own verifiers do: signature, issuer,
 * audience, time, requirements and revocation, in this order. Needs the optional artifact
 * {@code com.nimbusds:nimbus-jose-jwt}.
 *
 * <pre>{@code
 * MandateVerifier verifier = caracal.mandateVerifier()
 *         .audience("resource://billing-api")
 *         .revocations(InMemoryRevocationStore.create())
 *         .build();
 * }</pre>
 *
 * <p>The keys are fetched on first use; concurrent callers share the fetch. They are refreshed in the background after
 * five minutes, and serve until they are ten minutes old while that fails. A token with an unknown key id triggers a
 * fetch, at most every 30 seconds.
 *
 * <p>The verifier fails closed: if keys or revocations are unavailable, the error is
 * {@link Reason#VERIFIER_UNAVAILABLE}, which is not a denial. It does not detect that a token is presented twice.
 *
 * <p>One thread-safe verifier serves a whole application.
 */
public final class JwksMandateVerifier implements MandateVerifier, Disposable {
    /** The timeout of the revocation store. */
    static final Duration STORE_TIMEOUT = Duration.ofSeconds(5);

    /** The name of the revocation store in messages. */
    static final String STORE = "The revocation store";

    private static final Logger log = LoggerFactory.getLogger(JwksMandateVerifier.class);
    private static final String LATER = "Try again later";

    private final Claims.Expected expected;
    private final Jwks jwks;
    private final RevocationStore revocations;
    private final Scheduler timer;
    private final AtomicBoolean warnedOfIssuer = new AtomicBoolean();

    private JwksMandateVerifier(Claims.Expected expected, Jwks jwks, RevocationStore revocations, Scheduler timer) {
        this.expected = expected;
        this.jwks = jwks;
        this.revocations = revocations;
        this.timer = timer;
    }

    /** {@return a builder without settings; {@link run.caracal.Caracal#mandateVerifier()} presets those of a client} */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * {@inheritDoc}
     *
     * <p>Computed on the subscriber's thread if the keys are cached, in a millisecond at most and without blocking;
     * continues on {@link reactor.core.scheduler.Schedulers#parallel()} after a fetch of the keys.
     */
    @Override
    public Mono<VerifiedMandate> verify(String bearer, MandateRequirements requirements) {
        Objects.requireNonNull(requirements, "requirements");
        return Calls.sealed(Mono.defer(() -> {
                    if (isDisposed()) {
                        return Mono.error(unavailable("The verifier is closed", null));
                    }
                    SignedToken token = SignedToken.parse(bearer);
                    return jwks.key(token.kid())
                            .onErrorMap(e -> unavailable("The keys of the zone cannot be read now", e))
                            .switchIfEmpty(Mono.error(() -> invalid("The token is signed by no key of the zone")))
                            .map(key -> proven(token, key, requirements))
                            .flatMap(this::unlessRevoked);
                })
                .onErrorMap(
                        e -> !(e instanceof InboundException),
                        e -> unavailable("The token cannot be verified now", e)));
    }

    /**
     * Fetches the zone's keys unless they are cached, so that the first caller does not wait and misconfiguration shows
     * early. A zone has no keys before its first token. Lazy; the fetch is shared with verifications, takes at most
     * five seconds, and is not cancelled with this Mono.
     *
     * @return completes when there are keys; else {@link InboundException} with {@link Reason#VERIFIER_UNAVAILABLE}
     */
    public Mono<Void> warmup() {
        return Mono.defer(() -> isDisposed()
                ? Mono.error(unavailable("The verifier is closed", null))
                : jwks.warm().onErrorMap(e -> unavailable("The keys of the zone cannot be read now", e)));
    }

    private VerifiedMandate proven(SignedToken token, Es256 key, MandateRequirements requirements) {
        if (!token.isSignedBy(key)) {
            throw invalid("The signature of the token is wrong");
        }
        warnOfIssuer(token.claims());
        return Claims.check(token.claims(), expected, requirements, timer.now(TimeUnit.MILLISECONDS));
    }

    /**
     * Logged, because only the settings can fix a different issuer, while only the caller sees the rejection. The
     * signature is verified, so the name is that of the zone's STS.
     */
    private void warnOfIssuer(Map<?, ?> claims) {
        Object issuer = claims.get("iss");
        if (issuer instanceof String
                && !issuer.equals(expected.issuer())
                && warnedOfIssuer.compareAndSet(false, true)) {
            log.warn(
                    "Mandates of zone {} are rejected: their issuer is {}, and the verifier expects {}. "
                            + "Set issuer(...) of the verifier to the issuer of the mandates",
                    expected.zoneId(),
                    issuer,
                    expected.issuer());
        }
    }

    private Mono<VerifiedMandate> unlessRevoked(VerifiedMandate mandate) {
        Set<String> anchors = new LinkedHashSet<>();
        anchors.add(mandate.authorityRecordId());
        anchors.add(mandate.rootAuthorityRecordId());
        mandate.agentSessionId().ifPresent(anchors::add);
        mandate.delegationEdgeId().ifPresent(anchors::add);
        Set<String> asked = Set.copyOf(anchors);
        return answer(() -> revocations.isRevoked(asked))
                .switchIfEmpty(Mono.error(() -> unavailable("The revocations cannot be read now", null)))
                .flatMap(revoked -> revoked
                        ? Mono.error(new InboundException(
                                Reason.SESSION_REVOKED, "The authority, the session or the delegation is revoked"))
                        : unlessStale(mandate));
    }

    private Mono<VerifiedMandate> unlessStale(VerifiedMandate mandate) {
        if (mandate.delegationGraphEpoch().isEmpty()) {
            return Mono.just(mandate);
        }
        long epoch = mandate.delegationGraphEpoch().getAsLong();
        return answer(() -> revocations.delegationEpoch(mandate.zoneId()))
                .filter(current -> current > epoch)
                .flatMap(current -> Mono.<VerifiedMandate>error(new InboundException(
                        Reason.DELEGATION_STALE,
                        "Delegations were revoked since the mandate was minted",
                        "Mint a new mandate",
                        null)))
                .defaultIfEmpty(mandate);
    }

    private <T> Mono<T> answer(Supplier<Mono<T>> question) {
        // The cache bounds its questions itself, and mostly knows the answer.
        Mono<T> answer = revocations instanceof CachedRevocationStore
                ? Supplied.ask(STORE, question)
                : Supplied.ask(STORE, question, STORE_TIMEOUT, timer);
        return answer.onErrorMap(e -> unavailable("The revocations cannot be read now", e));
    }

    private static InboundException unavailable(String description, @Nullable Throwable cause) {
        return new InboundException(Reason.VERIFIER_UNAVAILABLE, description, LATER, cause);
    }

    /** Cancels a fetch in flight. Later tokens are rejected with {@link Reason#VERIFIER_UNAVAILABLE}. */
    @Override
    public void dispose() {
        jwks.dispose();
    }

    @Override
    public boolean isDisposed() {
        return jwks.isDisposed();
    }

    @Override
    public String toString() {
        return "JwksMandateVerifier[zoneId=" + expected.zoneId() + ", issuer=" + expected.issuer() + ", audience="
                + expected.audience() + "]";
    }

    /** Builds a {@link JwksMandateVerifier}. Not for use by several threads at once. */
    public static final class Builder {
        private static final String SOURCE = "verifier builder";
        private static final String MISSING = "is missing: set it";

        private @Nullable String zoneId;
        private @Nullable String issuer;
        private @Nullable String audience;
        private @Nullable String jwksUrl;
        private @Nullable HttpTransport transport;
        private @Nullable RevocationStore revocations;
        private @Nullable Boolean allowInsecureUrls;
        private @Nullable Provider provider;
        private Scheduler timer = ParallelTimer.INSTANCE;

        private Builder() {}

        /** Sets the zone, which is never taken from a token. Required. */
        public Builder zoneId(String zoneId) {
            this.zoneId = zoneId;
            return this;
        }

        /**
         * Sets the issuer: the {@code iss} of the zone's tokens, which is the STS's {@code ISSUER_URL}, compared
         * exactly, including a trailing slash. Required.
         */
        public Builder issuer(String issuer) {
            this.issuer = issuer;
            return this;
        }

        /**
         * Sets the audience: the id of the protected resource, which the {@code aud} of a mandate must contain.
         * Required.
         */
        public Builder audience(String audience) {
            this.audience = audience;
            return this;
        }

        /** Sets the full URL of the zone's keys; by default derived from the issuer. */
        public Builder jwksUrl(String jwksUrl) {
            this.jwksUrl = jwksUrl;
            return this;
        }

        /** Sets the transport that fetches the keys. Required; the verifier does not close it. */
        public Builder transport(HttpTransport transport) {
            this.transport = transport;
            return this;
        }

        /**
         * Sets the revocation store. Required, as on the platform's own verifiers; the simplest is
         * {@link InMemoryRevocationStore#create()}.
         */
        public Builder revocations(RevocationStore revocations) {
            this.revocations = revocations;
            return this;
        }

        /**
         * Sets whether the keys may be fetched over plain http from another machine, where an attacker could replace
         * them; by default if {@code CARACAL_ALLOW_INSECURE_CONFIG_URLS=true} in the environment.
         */
        public Builder allowInsecureUrls(boolean allowInsecureUrls) {
            this.allowInsecureUrls = allowInsecureUrls;
            return this;
        }

        /**
         * Sets the JCA provider of the signatures, which dominate the cost of a verification; one with native code may
         * be many times faster than that of the JDK. It is used by this verifier only, and need not be installed.
         *
         * @param provider with {@code SHA256withECDSA} and keys of P-256; by default that of the JDK
         */
        public Builder provider(Provider provider) {
            this.provider = Objects.requireNonNull(provider, "provider");
            return this;
        }

        Builder timer(Scheduler timer) {
            this.timer = timer;
            return this;
        }

        /**
         * Checks all settings and builds the verifier. Fetches nothing, but loads classes: call it at start-up.
         *
         * @throws run.caracal.error.ConfigurationException with all faults; also if nimbus-jose-jwt is missing
         */
        public JwksMandateVerifier build() {
            Problems problems = new Problems();
            String variable = System.getenv(Rules.ALLOW_INSECURE);
            boolean insecure = allowInsecureUrls != null ? allowInsecureUrls : Rules.isOn(variable);
            if (allowInsecureUrls == null) {
                problems.check(Rules.ALLOW_INSECURE, "environment variable", Rules.flag(variable));
            }
            check(problems, "zoneId", zoneId, Rules::id);
            check(problems, "audience", audience, Rules::resourceId);
            if (jwksUrl == null) {
                check(problems, "issuer", issuer, url -> Rules.serviceUrl(url, true, insecure));
            } else {
                check(problems, "issuer", issuer, Rules::resourceId);
                check(problems, "jwksUrl", jwksUrl, url -> Rules.url(url, true, insecure));
            }
            if (transport == null) {
                problems.add("transport", SOURCE, MISSING);
            }
            if (revocations == null) {
                problems.add(
                        "revocations",
                        SOURCE,
                        "is missing: set a store, for instance InMemoryRevocationStore.create(); without one "
                                + "revoked mandates would be accepted");
            }
            loadLibrary(problems);
            problems.throwIfAny();
            return make();
        }

        private JwksMandateVerifier make() {
            String zone = Objects.requireNonNull(zoneId);
            String iss = Objects.requireNonNull(issuer);
            URI keys = jwksUrl == null ? new StsRequests(URI.create(iss)).jwks(zone) : URI.create(jwksUrl);
            return new JwksMandateVerifier(
                    new Claims.Expected(zone, iss, Objects.requireNonNull(audience)),
                    new Jwks(keys, Objects.requireNonNull(transport), provider, timer),
                    Objects.requireNonNull(revocations),
                    timer);
        }

        private void loadLibrary(Problems problems) {
            try {
                Es256.load(provider);
            } catch (NoClassDefFoundError e) {
                problems.add("signatures", "class path", "add the artifact " + Es256.ARTIFACT + ", which checks them");
            } catch (IllegalStateException e) {
                if (provider == null) {
                    throw e;
                }
                problems.add("provider", SOURCE, e.getMessage() + ": set another, or none");
            }
        }

        private interface Rule {
            @Nullable
            String fault(String value);
        }

        private static void check(Problems problems, String setting, @Nullable String value, Rule rule) {
            problems.check(setting, SOURCE, value == null ? MISSING : rule.fault(value));
        }

        /** Omits the other settings. */
        @Override
        public String toString() {
            return "JwksMandateVerifier.Builder[zoneId=" + zoneId + ", audience=" + audience + "]";
        }
    }
}
