package run.caracal.verify;

import java.time.Instant;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * The proven claims of a mandate: who acts, for whom, with which authority, over which delegations. Immutable, and without
 * the token itself.
 */
public final class VerifiedMandate {

    /** For whom a mandate acts. */
    public enum SubjectType {
        /** A person, federated into the zone. */
        USER,
        /** The application itself. */
        APPLICATION
    }

    /** The use of a mandate. */
    public enum Use {
        /** Calls to the platform's own services. */
        SESSION,
        /** Calls to resources: what the Gateway hands to an upstream. */
        RESOURCE
    }

    /**
     * A station of a chain of delegations, from the root to the one that acts.
     *
     * @param applicationId the application
     * @param agentSessionId its session, or {@code null}
     * @param delegationEdgeId the delegation by which it passed the authority on; {@code null} for the last
     */
    public record Hop(
            String applicationId,
            @Nullable String agentSessionId,
            @Nullable String delegationEdgeId) {

        /** Checks the components. */
        public Hop {
            Objects.requireNonNull(applicationId, "applicationId");
        }
    }

    private final String zoneId;
    private final String applicationId;
    private final String subject;
    private final SubjectType subjectType;
    private final String authorityRecordId;
    private final String rootAuthorityRecordId;
    private final Use use;
    private final String jti;
    private final Set<String> scopes;
    private final List<String> targets;
    private final List<String> audience;
    private final @Nullable String agentSessionId;
    private final @Nullable String delegationEdgeId;
    private final @Nullable String sourceSessionId;
    private final @Nullable String targetSessionId;
    private final List<String> delegationPath;
    private final List<Hop> delegationChain;
    private final int hopCount;
    private final @Nullable Long delegationGraphEpoch;
    private final Instant issuedAt;
    private final Instant expiresAt;

    private VerifiedMandate(Builder builder) {
        zoneId = required(builder.zoneId, "zoneId");
        applicationId = required(builder.applicationId, "applicationId");
        subject = required(builder.subject, "subject");
        subjectType = required(builder.subjectType, "subjectType");
        authorityRecordId = required(builder.authorityRecordId, "authorityRecordId");
        rootAuthorityRecordId = required(builder.rootAuthorityRecordId, "rootAuthorityRecordId");
        use = required(builder.use, "use");
        jti = required(builder.jti, "jti");
        scopes = builder.scopes;
        targets = builder.targets;
        audience = builder.audience;
        agentSessionId = builder.agentSessionId;
        delegationEdgeId = builder.delegationEdgeId;
        sourceSessionId = builder.sourceSessionId;
        targetSessionId = builder.targetSessionId;
        delegationPath = builder.delegationPath;
        delegationChain = builder.delegationChain;
        hopCount = builder.hopCount;
        delegationGraphEpoch = builder.delegationGraphEpoch;
        issuedAt = required(builder.issuedAt, "issuedAt");
        expiresAt = required(builder.expiresAt, "expiresAt");
    }

    private static <T> T required(@Nullable T value, String field) {
        if (value == null || (value instanceof String text && text.isBlank())) {
            throw new IllegalArgumentException(field + " is missing: every mandate has it");
        }
        return value;
    }

    /** Starts a mandate without claims, for verifiers of one's own. */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return the id of the zone} */
    public String zoneId() {
        return zoneId;
    }

    /** {@return the id of the application that acts ({@code client_id})} */
    public String applicationId() {
        return applicationId;
    }

    /**
     * For whom it acts ({@code sub}): a user, or the application itself.
     *
     * @return the subject
     */
    public String subject() {
        return subject;
    }

    /** {@return what the subject is} */
    public SubjectType subjectType() {
        return subjectType;
    }

    /**
     * {@return the id of the authority record under which the mandate was minted ({@code sid}); not the agent session}
     */
    public String authorityRecordId() {
        return authorityRecordId;
    }

    /** {@return the id of the authority record from which that one comes ({@code root_sid}); often the same one's} */
    public String rootAuthorityRecordId() {
        return rootAuthorityRecordId;
    }

    /** {@return what the mandate is good for} */
    public Use use() {
        return use;
    }

    /** {@return the id of this one token ({@code jti})} */
    public String jti() {
        return jti;
    }

    /** {@return what the mandate allows; an immutable set in the mandate's order, possibly empty} */
    public Set<String> scopes() {
        return scopes;
    }

    /** {@return the resources that were granted; an immutable list of their identifiers, possibly empty} */
    public List<String> targets() {
        return targets;
    }

    /**
     * For whom the mandate is meant: resources, or the platform itself.
     *
     * @return an immutable list
     */
    public List<String> audience() {
        return audience;
    }

    /** {@return the id of the agent session that acts; empty when the application acts outside every session} */
    public Optional<String> agentSessionId() {
        return Optional.ofNullable(agentSessionId);
    }

    /** {@return the id of the delegation under which it acts, if there is one} */
    public Optional<String> delegationEdgeId() {
        return Optional.ofNullable(delegationEdgeId);
    }

    /** {@return the id of the session from which that delegation comes, if there is a delegation} */
    public Optional<String> sourceSessionId() {
        return Optional.ofNullable(sourceSessionId);
    }

    /** {@return the id of the session to which that delegation goes, if there is a delegation} */
    public Optional<String> targetSessionId() {
        return Optional.ofNullable(targetSessionId);
    }

    /**
     * {@return the delegations over which the authority came, the root's first; an immutable list of their ids,
     * possibly empty}
     */
    public List<String> delegationPath() {
        return delegationPath;
    }

    /** {@return who passed the authority on, the root first, and who acts, last; an immutable list, possibly empty} */
    public List<Hop> delegationChain() {
        return delegationChain;
    }

    /** {@return over how many delegations the authority came; the number, 0 without a delegation} */
    public int hopCount() {
        return hopCount;
    }

    /**
     * {@return the epoch of the zone's delegations at which the mandate was minted, if the mandate names
     * one}
     */
    public OptionalLong delegationGraphEpoch() {
        return delegationGraphEpoch == null ? OptionalLong.empty() : OptionalLong.of(delegationGraphEpoch);
    }

    /** {@return when the mandate was minted, on the platform's clock; the point in time, to the second} */
    public Instant issuedAt() {
        return issuedAt;
    }

    /** {@return when the mandate ends, on the platform's clock; the point in time, to the second} */
    public Instant expiresAt() {
        return expiresAt;
    }

    private List<@Nullable Object> claims() {
        return Arrays.<@Nullable Object>asList(
                zoneId,
                applicationId,
                subject,
                subjectType,
                authorityRecordId,
                rootAuthorityRecordId,
                use,
                jti,
                scopes,
                targets,
                audience,
                agentSessionId,
                delegationEdgeId,
                sourceSessionId,
                targetSessionId,
                delegationPath,
                delegationChain,
                hopCount,
                delegationGraphEpoch,
                issuedAt,
                expiresAt);
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof VerifiedMandate that && claims().equals(that.claims());
    }

    @Override
    public int hashCode() {
        return claims().hashCode();
    }

    @Override
    public String toString() {
        return "VerifiedMandate[zoneId=" + zoneId + ", applicationId=" + applicationId + ", subjectType=" + subjectType
                + ", authorityRecordId=" + authorityRecordId + ", use=" + use + ", scopes=" + scopes + ", targets="
                + targets + ", agentSessionId=" + agentSessionId + ", delegationEdgeId=" + delegationEdgeId
                + ", hopCount=" + hopCount + ", expiresAt=" + expiresAt + "]";
    }

    /** Collects the claims of a mandate. Not for use by several threads. */
    public static final class Builder {
        private @Nullable String zoneId;
        private @Nullable String applicationId;
        private @Nullable String subject;
        private @Nullable SubjectType subjectType;
        private @Nullable String authorityRecordId;
        private @Nullable String rootAuthorityRecordId;
        private @Nullable Use use;
        private @Nullable String jti;
        private Set<String> scopes = Set.of();
        private List<String> targets = List.of();
        private List<String> audience = List.of();
        private @Nullable String agentSessionId;
        private @Nullable String delegationEdgeId;
        private @Nullable String sourceSessionId;
        private @Nullable String targetSessionId;
        private List<String> delegationPath = List.of();
        private List<Hop> delegationChain = List.of();
        private int hopCount;
        private @Nullable Long delegationGraphEpoch;
        private @Nullable Instant issuedAt;
        private @Nullable Instant expiresAt;

        private Builder() {}

        /** Sets the zone. Required. */
        public Builder zoneId(String zoneId) {
            this.zoneId = zoneId;
            return this;
        }

        /**
         * Sets the application that acts. Required.
         *
         * @param applicationId its id
         */
        public Builder applicationId(String applicationId) {
            this.applicationId = applicationId;
            return this;
        }

        /**
         * Sets for whom it acts. Required.
         *
         * @param subject a user or the application itself
         * @param subjectType which of them
         */
        public Builder subject(String subject, SubjectType subjectType) {
            this.subject = subject;
            this.subjectType = subjectType;
            return this;
        }

        /**
         * Sets the authority record. Required.
         *
         * @param authorityRecordId its id
         */
        public Builder authorityRecordId(String authorityRecordId) {
            this.authorityRecordId = authorityRecordId;
            return this;
        }

        /**
         * Sets the authority record from which that one comes. Required.
         *
         * @param rootAuthorityRecordId its id; the same one's when there is no other
         */
        public Builder rootAuthorityRecordId(String rootAuthorityRecordId) {
            this.rootAuthorityRecordId = rootAuthorityRecordId;
            return this;
        }

        /** Sets what the mandate is good for. Required. */
        public Builder use(Use use) {
            this.use = use;
            return this;
        }

        /**
         * Sets the id of the token. Required.
         *
         * @param jti the id
         */
        public Builder jti(String jti) {
            this.jti = jti;
            return this;
        }

        /**
         * Sets what the mandate allows.
         *
         * @param scopes the scopes; copied
         */
        public Builder scopes(Collection<String> scopes) {
            // List.copyOf() refuses null; a LinkedHashSet keeps the order.
            this.scopes = Collections.unmodifiableSet(new LinkedHashSet<>(List.copyOf(scopes)));
            return this;
        }

        /**
         * Sets the resources that were granted.
         *
         * @param targets their identifiers; copied
         */
        public Builder targets(Collection<String> targets) {
            this.targets = List.copyOf(targets);
            return this;
        }

        /**
         * Sets for whom the mandate is meant.
         *
         * @param audience the audience; copied
         */
        public Builder audience(Collection<String> audience) {
            this.audience = List.copyOf(audience);
            return this;
        }

        /**
         * Sets the agent session that acts.
         *
         * @param agentSessionId its id, or {@code null} for none
         */
        public Builder agentSessionId(@Nullable String agentSessionId) {
            this.agentSessionId = agentSessionId;
            return this;
        }

        /**
         * Sets the delegation under which it acts.
         *
         * @param delegationEdgeId its id, or {@code null} for none
         */
        public Builder delegationEdgeId(@Nullable String delegationEdgeId) {
            this.delegationEdgeId = delegationEdgeId;
            return this;
        }

        /**
         * Sets the session from which the delegation comes.
         *
         * @param sourceSessionId its id, or {@code null} for none
         */
        public Builder sourceSessionId(@Nullable String sourceSessionId) {
            this.sourceSessionId = sourceSessionId;
            return this;
        }

        /**
         * Sets the session to which the delegation goes.
         *
         * @param targetSessionId its id, or {@code null} for none
         */
        public Builder targetSessionId(@Nullable String targetSessionId) {
            this.targetSessionId = targetSessionId;
            return this;
        }

        /**
         * Sets the delegations over which the authority came.
         *
         * @param delegationPath their ids, the root's first; copied
         */
        public Builder delegationPath(Collection<String> delegationPath) {
            this.delegationPath = List.copyOf(delegationPath);
            return this;
        }

        /**
         * Sets who passed the authority on.
         *
         * @param delegationChain the stations, the root first; copied
         */
        public Builder delegationChain(Collection<Hop> delegationChain) {
            this.delegationChain = List.copyOf(delegationChain);
            return this;
        }

        /**
         * Sets over how many delegations the authority came.
         *
         * @param hopCount the number, 0 without a delegation
         * @throws IllegalArgumentException if it is negative
         */
        public Builder hopCount(int hopCount) {
            if (hopCount < 0) {
                throw new IllegalArgumentException("hopCount must not be negative, but is " + hopCount);
            }
            this.hopCount = hopCount;
            return this;
        }

        /**
         * Sets the epoch of the zone's delegations.
         *
         * @param delegationGraphEpoch the epoch, or {@code null} for none
         */
        public Builder delegationGraphEpoch(@Nullable Long delegationGraphEpoch) {
            this.delegationGraphEpoch = delegationGraphEpoch;
            return this;
        }

        /**
         * Sets when the mandate was minted. Required.
         *
         * @param issuedAt the point in time
         */
        public Builder issuedAt(Instant issuedAt) {
            this.issuedAt = issuedAt;
            return this;
        }

        /**
         * Sets when the mandate ends. Required.
         *
         * @param expiresAt the point in time
         */
        public Builder expiresAt(Instant expiresAt) {
            this.expiresAt = expiresAt;
            return this;
        }

        /**
         * Makes the mandate.
         *
         * @return an immutable mandate
         * @throws IllegalArgumentException if a required claim is missing or blank; it names the claim
         */
        public VerifiedMandate build() {
            return new VerifiedMandate(this);
        }
    }
}
