package run.caracal.platform;

import java.time.Duration;
import java.util.function.Consumer;

/**
 * Every limit of the local platform, immutable, each with the platform's own number as default. A count or size that is
 * reached refuses what comes next; {@code Integer.MAX_VALUE} takes a limit away.
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

    /** {@return the numbers of the platform} */
    public static PlatformLimits defaults() {
        return new PlatformLimits();
    }

    /**
     * {@return limits that count nothing: no number of sessions, tokens, requests or wrong secrets is too many} Sizes and times
     * are those of the platform.
     */
    public static PlatformLimits unlimited() {
        return defaults().with(limits -> {
            limits.sessionsPerZone = Integer.MAX_VALUE;
            limits.sessionsPerApplication = Integer.MAX_VALUE;
            limits.childrenPerSession = Integer.MAX_VALUE;
            limits.idempotencyReceipts = Integer.MAX_VALUE;
            limits.coordinatorRequestsPerMinute = Integer.MAX_VALUE;
            limits.mintsPerMinute = Integer.MAX_VALUE;
            limits.failedSecretsPerMinute = Integer.MAX_VALUE;
        });
    }

    /**
     * {@return limits with another live sessions in the zone}
     *
     * @param value the limit, default 50
     */
    public PlatformLimits withSessionsPerZone(int value) {
        return with(limits -> limits.sessionsPerZone = positive(value));
    }

    /**
     * {@return limits with another live sessions of one application}
     *
     * @param value the limit, default 200
     */
    public PlatformLimits withSessionsPerApplication(int value) {
        return with(limits -> limits.sessionsPerApplication = positive(value));
    }

    /**
     * {@return limits with another live children of one session}
     *
     * @param value the limit, default 10
     */
    public PlatformLimits withChildrenPerSession(int value) {
        return with(limits -> limits.childrenPerSession = positive(value));
    }

    /**
     * {@return limits with another depth of a session below its root}
     *
     * @param value the limit, default 10
     */
    public PlatformLimits withSessionDepth(int value) {
        return with(limits -> limits.sessionDepth = positive(value));
    }

    /**
     * {@return limits with another life of a task session that names none}
     *
     * @param value the limit, default one hour
     */
    public PlatformLimits withSessionTtl(Duration value) {
        return with(limits -> limits.sessionTtl = positive(value));
    }

    /**
     * {@return limits with another longest life a task session may ask for}
     *
     * @param value the limit, default one day
     */
    public PlatformLimits withMaxSessionTtl(Duration value) {
        return with(limits -> limits.maxSessionTtl = positive(value));
    }

    /**
     * {@return limits with another time between two sweeps for task sessions past their life}
     *
     * @param value the limit, default 60 s
     */
    public PlatformLimits withTtlSweep(Duration value) {
        return with(limits -> limits.ttlSweep = positive(value));
    }

    /**
     * {@return limits with another lease of a service session}
     *
     * @param value the limit, default 120 s
     */
    public PlatformLimits withServiceLease(Duration value) {
        return with(limits -> limits.serviceLease = positive(value));
    }

    /**
     * {@return limits with another time between two sweeps for service sessions past their lease}
     *
     * @param value the limit, default 30 s
     */
    public PlatformLimits withLeaseSweep(Duration value) {
        return with(limits -> limits.leaseSweep = positive(value));
    }

    /**
     * {@return limits with another requests to the Coordinator from one address in a clock minute}
     *
     * @param value the limit, default 600
     */
    public PlatformLimits withCoordinatorRequestsPerMinute(int value) {
        return with(limits -> limits.coordinatorRequestsPerMinute = positive(value));
    }

    /**
     * {@return limits with another body of a request to the Coordinator}
     *
     * @param value the limit, default 256 KiB
     */
    public PlatformLimits withCoordinatorBodyBytes(int value) {
        return with(limits -> limits.coordinatorBodyBytes = positive(value));
    }

    /**
     * {@return limits with another idempotency keys remembered for one application}
     *
     * @param value the limit, default 10000
     */
    public PlatformLimits withIdempotencyReceipts(int value) {
        return with(limits -> limits.idempotencyReceipts = positive(value));
    }

    /**
     * {@return limits with another time an idempotency key is remembered}
     *
     * @param value the limit, default seven days
     */
    public PlatformLimits withIdempotencyRetention(Duration value) {
        return with(limits -> limits.idempotencyRetention = positive(value));
    }

    /**
     * {@return limits with another time a generated idempotency key is remembered}
     *
     * @param value the limit, default one day
     */
    public PlatformLimits withGeneratedIdempotencyRetention(Duration value) {
        return with(limits -> limits.generatedIdempotencyRetention = positive(value));
    }

    /**
     * {@return limits with another life of a token that asks for none}
     *
     * @param value the limit, default 900 s
     */
    public PlatformLimits withTokenTtl(Duration value) {
        return with(limits -> limits.tokenTtl = positive(value));
    }

    /**
     * {@return limits with another longest life an application may ask for a token}
     *
     * @param value the limit, default 3600 s
     */
    public PlatformLimits withMaxTokenTtl(Duration value) {
        return with(limits -> limits.maxTokenTtl = positive(value));
    }

    /**
     * {@return limits with another longest life of the token the Gateway presents to a resource}
     *
     * @param value the limit, default 900 s
     */
    public PlatformLimits withMaxResourceTokenTtl(Duration value) {
        return with(limits -> limits.maxResourceTokenTtl = positive(value));
    }

    /**
     * {@return limits with another tokens for one application and resource in a minute}
     *
     * @param value the limit, default 1000
     */
    public PlatformLimits withMintsPerMinute(int value) {
        return with(limits -> limits.mintsPerMinute = positive(value));
    }

    /**
     * {@return limits with another requests to {@code /v1/verify} from one address in a clock minute}
     *
     * @param value the limit, default 60
     */
    public PlatformLimits withVerificationsPerMinute(int value) {
        return with(limits -> limits.verificationsPerMinute = positive(value));
    }

    /**
     * {@return limits with another time that a revocation takes to reach those who check tokens} Until then a token or mandate
     * that it ends is still accepted.
     *
     * @param value the time, default 500 ms; zero for a revocation that counts at once, which no deployment promises
     */
    public PlatformLimits withRevocationDelay(Duration value) {
        if (value.isNegative()) {
            throw new IllegalArgumentException("a delay must not be negative, as " + value + " is");
        }
        return with(limits -> limits.revocationDelay = value);
    }

    /**
     * {@return limits with another time in which an approval must be decided and used}
     *
     * @param value the limit, default four hours
     */
    public PlatformLimits withApprovalLife(Duration value) {
        return with(limits -> limits.approvalLife = positive(value));
    }

    /**
     * {@return limits with another time in which a mandate may be issued again under an approval that was used}
     *
     * @param value the limit, default 120 s
     */
    public PlatformLimits withApprovalReissue(Duration value) {
        return with(limits -> limits.approvalReissue = positive(value));
    }

    /**
     * {@return limits with another longest wait for a decision in one request}
     *
     * @param value the limit, default 25 s
     */
    public PlatformLimits withApprovalWait(Duration value) {
        return with(limits -> limits.approvalWait = positive(value));
    }

    /**
     * {@return limits with another wrong secrets for one application in a minute before it is blocked}
     *
     * @param value the limit, default 60
     */
    public PlatformLimits withFailedSecretsPerMinute(int value) {
        return with(limits -> limits.failedSecretsPerMinute = positive(value));
    }

    /**
     * {@return limits with another time an application stays blocked after too many wrong secrets}
     *
     * @param value the limit, default 60 s
     */
    public PlatformLimits withFailedSecretBlock(Duration value) {
        return with(limits -> limits.failedSecretBlock = positive(value));
    }

    /**
     * {@return limits with another body of a request to the STS}
     *
     * @param value the limit, default 64 KiB
     */
    public PlatformLimits withStsBodyBytes(int value) {
        return with(limits -> limits.stsBodyBytes = positive(value));
    }

    /**
     * {@return limits with another body of a request through the Gateway}
     *
     * @param value the limit, default 10 MiB
     */
    public PlatformLimits withGatewayBodyBytes(long value) {
        return with(limits -> limits.gatewayBodyBytes = positive(value));
    }

    /**
     * {@return limits with another life a bearer must have left at the Gateway}
     *
     * @param value the limit, default 35 s
     */
    public PlatformLimits withGatewayRemainingLife(Duration value) {
        return with(limits -> limits.gatewayRemainingLife = positive(value));
    }

    /**
     * {@return limits with another time the protected API has to begin its answer}
     *
     * @param value the limit, default 30 s
     */
    public PlatformLimits withUpstreamTimeout(Duration value) {
        return with(limits -> limits.upstreamTimeout = positive(value));
    }

    /**
     * {@return limits with another size of a bearer at Coordinator and Gateway}
     *
     * @param value the limit, default 4096
     */
    public PlatformLimits withBearerBytes(int value) {
        return with(limits -> limits.bearerBytes = positive(value));
    }

    /**
     * {@return limits with another size of a request's headers}
     *
     * @param value the limit, default 16 KiB
     */
    public PlatformLimits withHeaderBytes(int value) {
        return with(limits -> limits.headerBytes = positive(value));
    }

    /**
     * {@return limits with another requests remembered for each server, the oldest go first}
     *
     * @param value the limit, default 10000
     */
    public PlatformLimits withRecordedRequests(int value) {
        return with(limits -> limits.recordedRequests = positive(value));
    }

    /**
     * {@return limits with another audit events remembered, the oldest go first}
     *
     * @param value the limit, default 10000
     */
    public PlatformLimits withAuditEvents(int value) {
        return with(limits -> limits.auditEvents = positive(value));
    }

    private PlatformLimits with(Consumer<PlatformLimits> change) {
        PlatformLimits copy = clone();
        change.accept(copy);
        return copy;
    }

    @Override
    protected PlatformLimits clone() {
        try {
            return (PlatformLimits) super.clone();
        } catch (CloneNotSupportedException e) {
            throw new AssertionError(e);
        }
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
