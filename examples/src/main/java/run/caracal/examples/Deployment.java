package run.caracal.examples;

import java.io.PrintStream;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.examples.platform.LocalPlatform;

/**
 * Where an example runs: the deployment that the {@code CARACAL_*} variables name, or, when none is set, a local platform
 * of its own.
 */
final class Deployment implements AutoCloseable {
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(15);

    private final Caracal caracal;
    private final @Nullable LocalPlatform platform;
    private final Map<String, String> environment;

    private Deployment(Caracal caracal, @Nullable LocalPlatform platform, Map<String, String> environment) {
        this.caracal = caracal;
        this.platform = platform;
        this.environment = environment;
    }

    static Deployment open() {
        Map<String, String> environment = System.getenv();
        if (environment.entrySet().stream()
                .anyMatch(
                        e -> e.getKey().startsWith("CARACAL_") && !e.getValue().isEmpty())) {
            return new Deployment(Caracal.create(), null, environment);
        }
        LocalPlatform platform = LocalPlatform.builder().start();
        return new Deployment(Caracal.create(configOf(platform)), platform, environment);
    }

    private static CaracalConfig configOf(LocalPlatform platform) {
        return CaracalConfig.builder()
                .zoneId(platform.zoneId())
                .applicationId(platform.applicationId())
                .clientSecret(platform.clientSecret())
                .stsUrl(platform.stsUrl())
                .coordinatorUrl(platform.coordinatorUrl())
                .gatewayUrl(platform.gatewayUrl())
                .resource(platform.resourceId(), platform.upstreamUrl())
                .build();
    }

    Caracal caracal() {
        return caracal;
    }

    String resourceId() {
        return environment.getOrDefault("CARACAL_RESOURCE_ID", "resource://billing-api");
    }

    String resourcePath() {
        return environment.getOrDefault("CARACAL_RESOURCE_PATH", "/charge");
    }

    /** The address under which the resource is bound, for examples that call it by its own address. */
    String upstreamUrl() {
        if (platform != null) {
            return platform.upstreamUrl();
        }
        return CaracalConfig.load().resources().stream()
                .filter(binding -> binding.resource().equals(resourceId()))
                .map(binding -> binding.upstreamPrefix())
                .findFirst()
                .orElseThrow(() -> new IllegalStateException(
                        "Bind " + resourceId() + " to its address with CARACAL_RESOURCES to run this example"));
    }

    /** Shows the audit trail of a request, one line for each event, or says where it is to be found. */
    void explain(String requestId, PrintStream out) {
        if (platform == null) {
            out.println("Look the request " + requestId + " up in the Console: audit, then explain");
            return;
        }
        List<String> lines = platform.audit().byRequestId(requestId).stream()
                .map(event -> "audit " + event.eventType() + " " + event.decision() + " " + event.requestId())
                .toList();
        lines.forEach(out::println);
    }

    @Override
    public void close() {
        caracal.disposeLater().block(CLOSE_TIMEOUT);
        if (platform != null) {
            platform.disposeLater().block(CLOSE_TIMEOUT);
        }
    }
}
