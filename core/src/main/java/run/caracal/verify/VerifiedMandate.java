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
 * The claims of a verified mandate: the acting application and session, its subject, its authority and its delegations.
 * Immutable; does not contain the token.
 */
public final class VerifiedMandate {

    /** The type of a mandate's subject. */
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
        /** Calls to resources, as the Gateway forwards them to an upstream. */
        RESOURCE
    }

    /**
     * A link in a chain of delegations, from the root to the acting application.
     *
     * @param applicationId the application
     * @param agentSessionId its session, or {@code null}
     * @param delegationEdgeId the delegation that it issued to the next link; {@code null} for the last
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

    /** {@return an empty builder, for your own verifiers} */
    public static Builder builder() {
        return new Builder();
    }

    /** {@return the id of the zone} */
    public String zoneId() {
        return zoneId;
    }

    /** {@return the id of the acting application ({@code client_id})} */
    public String applicationId() {
        return applicationId;
    }

    /** {@return the subject ({@code sub}): a user, or the application itself} */
    public String subject() {
        return subject;
    }

    /** {@return the type of the subject} */
    public SubjectType subjectType() {
        return subjectType;
    }

    /** {@return the authority record of the mandate ({@code sid}); not the agent session} */
    public String authorityRecordId() {
        return authorityRecordId;
    }

    /** {@return the root of the authority record ({@code root_sid}), often the same} */
    public String rootAuthorityRecordId() {
        return rootAuthorityRecordId;
    }

    /** {@return the use of the mandate} */
    public Use use() {
        return use;
    }

    /** {@return the id of the token ({@code jti})} */
    public String jti() {
        return jti;
    }

    /** {@return the scopes; an immutable set in the mandate's order, may be empty} */
    public Set<String> scopes() {
        return scopes;
    }

    /** {@return the ids of the granted resources; an immutable list, may be empty} */
    public List<String> targets() {
        return targets;
    }

    /** {@return the audience: resource ids, or the platform itself; an immutable list} */
    public List<String> audience() {
        return audience;
    }

    /** {@return the id of the acting session; empty if the application acts outside of a session} */
    public Optional<String> agentSessionId() {
        return Optional.ofNullable(agentSessionId);
    }

    /** {@return the id of the delegation that limits the authority, if any} */
    public Optional<String> delegationEdgeId() {
        return Optional.ofNullable(delegationEdgeId);
    }

    /** {@return the session that issued the delegation, if any} */
    public Optional<String> sourceSessionId() {
        return Optional.ofNullable(sourceSessionId);
    }

    /** {@return the session that received the delegation, if any} */
    public Optional<String> targetSessionId() {
        return Optional.ofNullable(targetSessionId);
    }

    /** {@return the ids of the delegations from the root on; an immutable list, may be empty} */
    public List<String> delegationPath() {
        return delegationPath;
    }

    /** {@return the chain of delegations from the root to the acting application; an immutable list, may be empty} */
    public List<Hop> delegationChain() {
        return delegationChain;
    }

    /** {@return the number of delegations; 0 without one} */
    public int hopCount() {
        return hopCount;
    }

    /** {@return the epoch of the zone's delegations when the mandate was minted, if named} */
    public OptionalLong delegationGraphEpoch() {
        return delegationGraphEpoch == null ? OptionalLong.empty() : OptionalLong.of(delegationGraphEpoch);
    }

    /** {@return when the mandate was minted, by the platform's clock, in seconds} */
    public Instant issuedAt() {
        return issuedAt;
    }

    /** {@return when the mandate expires, by the platform's clock, in seconds} */
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

    /** Builds a {@link VerifiedMandate}. Not for use by several threads at once. */
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

        /** Sets the acting application. Required. */
        public Builder applicationId(String applicationId) {
            this.applicationId = applicationId;
            return this;
        }

        /** Sets the subject: a user, or the application itself. Required. */
        public Builder subject(String subject, SubjectType subjectType) {
            this.subject = subject;
            this.subjectType = subjectType;
            return this;
        }

        /** Sets the authority record. Required. */
        public Builder authorityRecordId(String authorityRecordId) {
            this.authorityRecordId = authorityRecordId;
            return this;
        }

        /** Sets the root of the authority record, possibly the same. Required. */
        public Builder rootAuthorityRecordId(String rootAuthorityRecordId) {
            this.rootAuthorityRecordId = rootAuthorityRecordId;
            return this;
        }

        /** Sets the use of the mandate. Required. */
        public Builder use(Use use) {
            this.use = use;
            return this;
        }

        /** Sets the id of the token. Required. */
        public Builder jti(String jti) {
            this.jti = jti;
            return this;
        }

        /** Sets the scopes. */
        public Builder scopes(Collection<String> scopes) {
            // List.copyOf() refuses null; a LinkedHashSet keeps the order.
            this.scopes = Collections.unmodifiableSet(new LinkedHashSet<>(List.copyOf(scopes)));
            return this;
        }

        /** Sets the ids of the granted resources. */
        public Builder targets(Collection<String> targets) {
            this.targets = List.copyOf(targets);
            return this;
        }

        /** Sets the audience. */
        public Builder audience(Collection<String> audience) {
            this.audience = List.copyOf(audience);
            return this;
        }

        /** Sets the acting session, or {@code null}. */
        public Builder agentSessionId(@Nullable String agentSessionId) {
            this.agentSessionId = agentSessionId;
            return this;
        }

        /** Sets the delegation that limits the authority, or {@code null}. */
        public Builder delegationEdgeId(@Nullable String delegationEdgeId) {
            this.delegationEdgeId = delegationEdgeId;
            return this;
        }

        /** Sets the session that issued the delegation, or {@code null}. */
        public Builder sourceSessionId(@Nullable String sourceSessionId) {
            this.sourceSessionId = sourceSessionId;
            return this;
        }

        /** Sets the session that received the delegation, or {@code null}. */
        public Builder targetSessionId(@Nullable String targetSessionId) {
            this.targetSessionId = targetSessionId;
            return this;
        }

        /** Sets the ids of the delegations from the root on. */
        public Builder delegationPath(Collection<String> delegationPath) {
            this.delegationPath = List.copyOf(delegationPath);
            return this;
        }

        /** Sets the chain of delegations from the root on. */
        public Builder delegationChain(Collection<Hop> delegationChain) {
            this.delegationChain = List.copyOf(delegationChain);
            return this;
        }

        /**
         * Sets the number of delegations; 0 without one.
         *
         * @throws IllegalArgumentException if it is negative
         */
        public Builder hopCount(int hopCount) {
            if (hopCount < 0) {
                throw new IllegalArgumentException("hopCount must not be negative, but is " + hopCount);
            }
            this.hopCount = hopCount;
            return this;
        }

        /** Sets the epoch of the zone's delegations, or {@code null}. */
        public Builder delegationGraphEpoch(@Nullable Long delegationGraphEpoch) {
            this.delegationGraphEpoch = delegationGraphEpoch;
            return this;
        }

        /** Sets when the mandate was minted. Required. */
        public Builder issuedAt(Instant issuedAt) {
            this.issuedAt = issuedAt;
            return this;
        }

        /** Sets when the mandate expires. Required. */
        public Builder expiresAt(Instant expiresAt) {
            this.expiresAt = expiresAt;
            return this;
        }

        /**
         * Builds the mandate.
         *
         * @throws IllegalArgumentException naming a required claim that is missing or blank
         */
        public VerifiedMandate build() {
            return new VerifiedMandate(this);
        }
    }
}
