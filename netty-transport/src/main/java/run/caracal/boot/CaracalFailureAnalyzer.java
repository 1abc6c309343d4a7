package run.caracal.boot;

import java.util.Map;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.springframework.boot.diagnostics.AbstractFailureAnalyzer;
import org.springframework.boot.diagnostics.FailureAnalysis;
import run.caracal.error.CaracalException;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;

/** Explains why an application did not start: each fault of the configuration with its property and origin. */
final class CaracalFailureAnalyzer extends AbstractFailureAnalyzer<CaracalException> {
    /** The properties of settings that an error names by variable or key, because they are missing. */
    private static final Map<String, String> PROPERTIES = Map.ofEntries(
            Map.entry("CARACAL_ZONE_ID", "caracal.zone-id"),
            Map.entry("zone_id", "caracal.zone-id"),
            Map.entry("CARACAL_APPLICATION_ID", "caracal.application-id"),
            Map.entry("application_id", "caracal.application-id"),
            Map.entry("CARACAL_APP_CLIENT_SECRET", "caracal.client-secret"),
            Map.entry("app_client_secret", "caracal.client-secret"),
            Map.entry("hmacKey", "caracal.inbound.revocation.redis.hmac-key"),
            Map.entry("CARACAL_STS_URL", "caracal.sts-url"),
            Map.entry("CARACAL_COORDINATOR_URL", "caracal.coordinator-url"),
            Map.entry("CARACAL_GATEWAY_URL", "caracal.gateway-url"));

    @Override
    protected @Nullable FailureAnalysis analyze(Throwable rootFailure, CaracalException cause) {
        if (!(cause instanceof ConfigurationException faulty)) {
            return new FailureAnalysis(
                    "The Caracal platform cannot be used:" + System.lineSeparator() + System.lineSeparator() + "    "
                            + cause.getMessage(),
                    "Correct the configuration or the platform, or unset caracal.fail-fast to start nonetheless.",
                    cause);
        }
        String faults = faulty.problems().stream()
                .map(CaracalFailureAnalyzer::line)
                .collect(Collectors.joining(System.lineSeparator()));
        return new FailureAnalysis(
                "The Caracal client cannot be configured:" + System.lineSeparator() + System.lineSeparator() + faults,
                "Correct the settings above, or set caracal.enabled=false to start without Caracal.",
                cause);
    }

    private static String line(Problem problem) {
        String property = PROPERTIES.get(problem.setting());
        return "    " + (property == null ? "" : property + ", or ") + problem.setting() + " (" + problem.source()
                + "): " + problem.message();
    }
}
