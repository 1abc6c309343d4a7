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
 * Proves mandates by the public keys of their zone, as the platform's own verifiers do: signature, issuer, audience, time,
 * what the boundary requires, and revocation, in this order. Signatures are checked with the optional artifact {@code
 * com.nimbusds:nimbus-jose-jwt}.
 *
 * <pre>{@code
 * MandateVerifier verifier = caracal.mandateVerifier()
 *         .audience("resource://billing-api")
 *         .revocations(InMemoryRevocationStore.create())
 *         .build();
 * }</pre>
 *
 * <p>The keys are fetched when they are first needed, once for all who wait. They serve for five minutes and are then
 * renewed behind the callers' backs; while that fails they serve on until they are ten minutes old. A token that names
 * an unknown key makes them be fetched at once, but not within 30 seconds of the last time.
 *
 * <p>What cannot be decided is let in by nobody: when the keys or the revocations cannot be read, the error is {@link
 * Reason#VERIFIER_UNAVAILABLE}, never a denial. It does not notice when a token is presented twice.
 *
 * <p>One verifier serves a whole application; it is safe for use by many threads.
 */
public final class JwksMandateVerifier implements MandateVerifier, Disposable {
    /** How long the store of revocations may take for an answer. */
    static final Duration STORE_TIMEOUT = Duration.ofSeconds(5);

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

    /**
     * Starts a verifier without settings. {@link run.caracal.Caracal#mandateVerifier()} starts one with those of a client.
     */
    public static Builder builder() {
        return new Builder();
    }

    /**
     * {@inheritDoc}
     *
     * <p>With the keys at hand everything but the store's answer is computed on the subscriber's thread, which takes a
     * millisecond at most and never blocks; after a fetch of the keys it goes on at {@link reactor.core.scheduler.Schedulers#parallel()}.
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
     * Fetches the zone's keys unless they are at hand, so that the first caller has not to wait for them and a fault of the
     * configuration shows early. A zone that has issued no token yet has none. Lazy; the fetch is shared with who verifies,
     * takes five seconds at most, and goes on when this is cancelled.
     *
     * @return completes when there are keys; an {@link InboundException} of {@link Reason#VERIFIER_UNAVAILABLE} when not
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
     * Only the settings can mend an issuer that differs, and only the caller hears of the refusal. The token is proven, so
     * that the STS of the zone says so itself.
     */
    private void warnOfIssuer(Map<?, ?> claims) {
        Object issuer = claims.get("iss");
        if (issuer instanceof String
                && !issuer.equals(expected.issuer())
                && warnedOfIssuer.compareAndSet(false, true)) {
            log.warn(
                    "Mandates of zone {} are refused: the STS that signs them calls itself {}, and the verifier expects {}. "
                            + "Set issuer(...) of the verifier to the name that the STS uses",
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
                .switchIfEmpty(Mono.error(() -> unavailable("It is not known what is revoked", null)))
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
        return Supplied.ask("The revocation store", question, STORE_TIMEOUT, timer)
                .onErrorMap(e -> unavailable("It is not known what is revoked", e));
    }

    private static InboundException unavailable(String description, @Nullable Throwable cause) {
        return new InboundException(Reason.VERIFIER_UNAVAILABLE, description, LATER, cause);
    }

    /** Ends a fetch of keys that is under way. Tokens are refused as {@link Reason#VERIFIER_UNAVAILABLE} from then on. */
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

    /** Collects the settings of a verifier. Not for use by several threads. */
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

        /** Sets the zone. Required; it is never taken from a token. */
        public Builder zoneId(String zoneId) {
            this.zoneId = zoneId;
            return this;
        }

        /**
         * Sets the issuer: what the STS calls itself ({@code ISSUER_URL}), to the letter, a slash at the end included.
         * Required.
         *
         * @param issuer the {@code iss} of the zone's tokens
         */
        public Builder issuer(String issuer) {
            this.issuer = issuer;
            return this;
        }

        /**
         * Sets the audience: the identifier of the resource that is protected. Required.
         *
         * @param audience what the {@code aud} of a mandate has to name
         */
        public Builder audience(String audience) {
            this.audience = audience;
            return this;
        }

        /**
         * Sets where the keys of the zone are, if not where the issuer's address says.
         *
         * @param jwksUrl the whole address, with its query
         */
        public Builder jwksUrl(String jwksUrl) {
            this.jwksUrl = jwksUrl;
            return this;
        }

        /** Sets how the keys are fetched. Required; stays the caller's to close. */
        public Builder transport(HttpTransport transport) {
            this.transport = transport;
            return this;
        }

        /**
         * Sets the revocation store. Required, as on the platform's own verifiers; {@link
         * InMemoryRevocationStore#create()} is the simplest.
         *
         * @param revocations the store
         */
        public Builder revocations(RevocationStore revocations) {
            this.revocations = revocations;
            return this;
        }

        /**
         * Allows fetching the keys over plain http from another machine, where they can be replaced on the way. Without
         * this, {@code CARACAL_ALLOW_INSECURE_CONFIG_URLS=true} does.
         *
         * @param allowInsecureUrls whether it is allowed
         */
        public Builder allowInsecureUrls(boolean allowInsecureUrls) {
            this.allowInsecureUrls = allowInsecureUrls;
            return this;
        }

        /**
         * Sets what computes the signatures. Most of a verification is spent there, and a provider with native code may be
         * many times as fast as that of the JDK. It is used for this verifier alone and need not be installed.
         *
         * @param provider one with {@code SHA256withECDSA} and keys of P-256; by default what the JDK prefers
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
         * Checks all settings and makes the verifier. Fetches nothing yet, but loads classes: for start-up code.
         *
         * @return a new verifier
         * @throws run.caracal.error.ConfigurationException with all faults; also when nimbus-jose-jwt is missing
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
                        "is missing: set a store, for instance InMemoryRevocationStore.create(); without one nobody "
                                + "could tell what is revoked");
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

        /** Shows no setting. */
        @Override
        public String toString() {
            return "JwksMandateVerifier.Builder[zoneId=" + zoneId + ", audience=" + audience + "]";
        }
    }
}
