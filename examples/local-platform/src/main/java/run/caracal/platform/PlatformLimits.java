package run.caracal.platform;

import java.time.Duration;

/**
 * The limits of the local platform, by default those of the real platform. Immutable. A request over a limit is
 * rejected; {@code Integer.MAX_VALUE} disables a limit. All limits are positive.
 */
public final class PlatformLimits implements Cloneable {
    int sessionsPerZone = 50;
    int sessionsPerApplication = 200;
    int childrenPerSession = 10;
    int sessionDepth = 10;
    Duration sessionTtl = Duration.ofHours(1);
    Duration maxSessionTtl = Duration.ofDays(1);
    Duration ttlSweep = Duration.ofSeconds(60);
    Duration serviceLease = Duration.ofMinutes(2);
    Duration leaseSweep = Duration.ofSeconds(30);
    int coordinatorRequestsPerMinute = 600;
    int coordinatorBodyBytes = 256 * 1024;
    int idempotencyReceipts = 10_000;
    Duration idempotencyRetention = Duration.ofDays(7);
    Duration generatedIdempotencyRetention = Duration.ofDays(1);
    Duration tokenTtl = Duration.ofMinutes(15);
    Duration maxTokenTtl = Duration.ofHours(1);
    Duration maxResourceTokenTtl = Duration.ofMinutes(15);
    int mintsPerMinute = 1000;
    int verificationsPerMinute = 60;
    Duration revocationDelay = Duration.ofMillis(500);
    Duration approvalLife = Duration.ofHours(4);
    Duration approvalReissue = Duration.ofSeconds(120);
    Duration approvalWait = Duration.ofSeconds(25);
    int failedSecretsPerMinute = 60;
    Duration failedSecretBlock = Duration.ofSeconds(60);
    int stsBodyBytes = 64 * 1024;
    long gatewayBodyBytes = 10L * 1024 * 1024;
    Duration gatewayRemainingLife = Duration.ofSeconds(35);
    Duration upstreamTimeout = Duration.ofSeconds(30);
    int bearerBytes = 4096;
    int headerBytes = 16 * 1024;
    int recordedRequests = 10_000;
    int auditEvents = 10_000;

    private PlatformLimits() {}

    /** {@return the limits of the real platform} */
    public static PlatformLimits defaults() {
        return new PlatformLimits();
    }

    /**
     * {@return no limits on the numbers of sessions, tokens, requests and wrong secrets; sizes and times are those of the real
     * platform}
     */
    public static PlatformLimits unlimited() {
        return builder()
                .sessionsPerZone(Integer.MAX_VALUE)
                .sessionsPerApplication(Integer.MAX_VALUE)
                .childrenPerSession(Integer.MAX_VALUE)
                .idempotencyReceipts(Integer.MAX_VALUE)
                .coordinatorRequestsPerMinute(Integer.MAX_VALUE)
                .mintsPerMinute(Integer.MAX_VALUE)
                .failedSecretsPerMinute(Integer.MAX_VALUE)
                .build();
    }

    /** {@return a builder with the default limits} */
    public static Builder builder() {
        return defaults().mutate();
    }

    /** {@return a builder with the same values} */
    public Builder mutate() {
        return new Builder(this);
    }

    @Override
    protected PlatformLimits clone() {
        try {
            return (PlatformLimits) super.clone();
        } catch (CloneNotSupportedException e) {
            throw new AssertionError(e);
        }
    }

    /** Builds {@link PlatformLimits}. Not for use by several threads at once. */
    public static final class Builder {
        private final PlatformLimits limits;

        private Builder(PlatformLimits limits) {
            this.limits = limits.clone();
        }

        /** Limits the live sessions in the zone, 50 unless set. */
        public Builder sessionsPerZone(int value) {
            limits.sessionsPerZone = positive(value);
            return this;
        }

        /** Limits the live sessions of one application, 200 unless set. */
        public Builder sessionsPerApplication(int value) {
            limits.sessionsPerApplication = positive(value);
            return this;
        }

        /** Limits the live children of one session, 10 unless set. */
        public Builder childrenPerSession(int value) {
            limits.childrenPerSession = positive(value);
            return this;
        }

        /** Limits the depth of a session below its root, 10 unless set. */
        public Builder sessionDepth(int value) {
            limits.sessionDepth = positive(value);
            return this;
        }

        /** Sets the life of a task session that names none, one hour unless set. */
        public Builder sessionTtl(Duration value) {
            limits.sessionTtl = positive(value);
            return this;
        }

        /** Limits the longest life a task session may ask for, one day unless set. */
        public Builder maxSessionTtl(Duration value) {
            limits.maxSessionTtl = positive(value);
            return this;
        }

        /** Sets the time between two sweeps for task sessions past their life, 60 s unless set. */
        public Builder ttlSweep(Duration value) {
            limits.ttlSweep = positive(value);
            return this;
        }

        /** Sets the lease of a service session, 120 s unless set. */
        public Builder serviceLease(Duration value) {
            limits.serviceLease = positive(value);
            return this;
        }

        /** Sets the time between two sweeps for service sessions past their lease, 30 s unless set. */
        public Builder leaseSweep(Duration value) {
            limits.leaseSweep = positive(value);
            return this;
        }

        /** Limits the requests to the Coordinator from one address in a clock minute, 600 unless set. */
        public Builder coordinatorRequestsPerMinute(int value) {
            limits.coordinatorRequestsPerMinute = positive(value);
            return this;
        }

        /** Limits the body of a request to the Coordinator, 256 KiB unless set. */
        public Builder coordinatorBodyBytes(int value) {
            limits.coordinatorBodyBytes = positive(value);
            return this;
        }

        /** Limits the idempotency keys remembered for one application, 10000 unless set. */
        public Builder idempotencyReceipts(int value) {
            limits.idempotencyReceipts = positive(value);
            return this;
        }

        /** Sets the time an idempotency key is remembered, seven days unless set. */
        public Builder idempotencyRetention(Duration value) {
            limits.idempotencyRetention = positive(value);
            return this;
        }

        /** Sets the time a generated idempotency key is remembered, one day unless set. */
        public Builder generatedIdempotencyRetention(Duration value) {
            limits.generatedIdempotencyRetention = positive(value);
            return this;
        }

        /** Sets the life of a token that asks for none, 900 s unless set. */
        public Builder tokenTtl(Duration value) {
            limits.tokenTtl = positive(value);
            return this;
        }

        /** Limits the longest life an application may ask for a token, 3600 s unless set. */
        public Builder maxTokenTtl(Duration value) {
            limits.maxTokenTtl = positive(value);
            return this;
        }

        /** Limits the longest life of the token the Gateway presents to a resource, 900 s unless set. */
        public Builder maxResourceTokenTtl(Duration value) {
            limits.maxResourceTokenTtl = positive(value);
            return this;
        }

        /** Limits the tokens for one application and resource in a minute, 1000 unless set. */
        public Builder mintsPerMinute(int value) {
            limits.mintsPerMinute = positive(value);
            return this;
        }

        /** Limits the requests to {@code /v1/verify} from one address in a clock minute, 60 unless set. */
        public Builder verificationsPerMinute(int value) {
            limits.verificationsPerMinute = positive(value);
            return this;
        }

        /**
         * Sets the delay of revocations, during which revoked tokens and mandates are still accepted.
         *
         * @param value 500 ms unless set; zero takes effect immediately, which no deployment guarantees
         */
        public Builder revocationDelay(Duration value) {
            if (value.isNegative()) {
                throw new IllegalArgumentException("a delay must not be negative, as " + value + " is");
            }
            limits.revocationDelay = value;
            return this;
        }

        /** Sets the time in which an approval must be decided and used, four hours unless set. */
        public Builder approvalLife(Duration value) {
            limits.approvalLife = positive(value);
            return this;
        }

        /** Sets the time in which a mandate may be issued again under an approval that was used, 120 s unless set. */
        public Builder approvalReissue(Duration value) {
            limits.approvalReissue = positive(value);
            return this;
        }

        /** Limits the longest wait for a decision in one request, 25 s unless set. */
        public Builder approvalWait(Duration value) {
            limits.approvalWait = positive(value);
            return this;
        }

        /** Limits the wrong secrets for one application in a minute before it is blocked, 60 unless set. */
        public Builder failedSecretsPerMinute(int value) {
            limits.failedSecretsPerMinute = positive(value);
            return this;
        }

        /** Sets the time an application stays blocked after too many wrong secrets, 60 s unless set. */
        public Builder failedSecretBlock(Duration value) {
            limits.failedSecretBlock = positive(value);
            return this;
        }

        /** Limits the body of a request to the STS, 64 KiB unless set. */
        public Builder stsBodyBytes(int value) {
            limits.stsBodyBytes = positive(value);
            return this;
        }

        /** Limits the body of a request through the Gateway, 10 MiB unless set. */
        public Builder gatewayBodyBytes(long value) {
            limits.gatewayBodyBytes = positive(value);
            return this;
        }

        /** Sets the life a bearer must have left at the Gateway, 35 s unless set. */
        public Builder gatewayRemainingLife(Duration value) {
            limits.gatewayRemainingLife = positive(value);
            return this;
        }

        /** Sets the time the protected API has to begin its answer, 30 s unless set. */
        public Builder upstreamTimeout(Duration value) {
            limits.upstreamTimeout = positive(value);
            return this;
        }

        /** Limits the size of a bearer at Coordinator and Gateway, 4096 unless set. */
        public Builder bearerBytes(int value) {
            limits.bearerBytes = positive(value);
            return this;
        }

        /** Limits the size of a request's headers, 16 KiB unless set. */
        public Builder headerBytes(int value) {
            limits.headerBytes = positive(value);
            return this;
        }

        /** Limits the requests remembered for each server, 10000 unless set; the oldest go first. */
        public Builder recordedRequests(int value) {
            limits.recordedRequests = positive(value);
            return this;
        }

        /** Limits the audit events remembered, 10000 unless set; the oldest go first. */
        public Builder auditEvents(int value) {
            limits.auditEvents = positive(value);
            return this;
        }

        /** {@return the limits} */
        public PlatformLimits build() {
            return limits.clone();
        }

        private static int positive(int value) {
            return (int) positive((long) value);
        }

        private static long positive(long value) {
            if (value < 1) {
                throw new IllegalArgumentException("a limit must be positive, not " + value);
            }
            return value;
        }

        private static Duration positive(Duration value) {
            if (value.isZero() || value.isNegative()) {
                throw new IllegalArgumentException("a limit must be positive, not " + value);
            }
            return value;
        }
    }
}
