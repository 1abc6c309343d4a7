package run.caracal.platform;

import java.time.Instant;
import java.util.HashMap;
import java.util.Map;

/** Blocks an application id for a while after too many wrong secrets. */
final class SecretThrottle {

    private record Failures(Instant since, int count, Instant blockedUntil) {}

    private final PlatformLimits limits;
    private final Map<String, Failures> failures = new HashMap<>();

    SecretThrottle(PlatformLimits limits) {
        this.limits = limits;
    }

    synchronized boolean blocks(String applicationId, Instant now) {
        Failures known = failures.get(applicationId);
        return known != null && now.isBefore(known.blockedUntil());
    }

    synchronized void failed(String applicationId, Instant now) {
        Failures known = failures.get(applicationId);
        if (known == null || !now.isBefore(known.since().plusSeconds(60))) {
            known = new Failures(now, 0, Instant.MIN);
        }
        int count = known.count() + 1;
        Instant blockedUntil = count > limits.failedSecretsPerMinute ? now.plus(limits.failedSecretBlock) : Instant.MIN;
        failures.put(applicationId, new Failures(known.since(), count, blockedUntil));
    }
}
