package run.caracal.examples;

import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.UUID;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ResourceBinding;
import run.caracal.examples.spring.WebFluxChain;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.ProtectedResource;

/**
 * The platform of an example: the deployment that the {@code CARACAL_*} variables name, or, if none is set, its own local
 * platform.
 */
final class Deployment implements AutoCloseable {
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(15);

    private static final String RESOURCE = "resource://billing-api";
    private static final String SCOPE = "billing:charge";
    private static final String OTHER_SCOPE = "billing:read";
    private static final String RESOURCE_ID = "CARACAL_RESOURCE_ID";
    private static final String RESOURCE_SCOPE = "CARACAL_RESOURCE_SCOPE";
    static final String PEER_VARIABLES =
            "CARACAL_PEER_APPLICATION_ID, CARACAL_PEER_APP_CLIENT_SECRET and CARACAL_PEER_RESOURCES";
    private static final String PEER_ID = "CARACAL_PEER_APPLICATION_ID";
    private static final String PEER = "app-peer";
    private static final String PEER_RESOURCE = "resource://ledger";
    private static final String PEER_SCOPE = "ledger:append";
    private static final String PEER_SECRET = UUID.randomUUID().toString();

    private final List<Caracal> others = new ArrayList<>();
    private final Caracal caracal;
    private final @Nullable LocalPlatform platform;
    private final Map<String, String> environment;

    private Deployment(Caracal caracal, @Nullable LocalPlatform platform, Map<String, String> environment) {
        this.caracal = caracal;
        this.platform = platform;
        this.environment = environment;
    }

    static Deployment open() {
        return open(billing -> billing);
    }

    /** Runs the chain: the application of the environment calls its peer. */
    static void chain(PrintStream out) {
        Map<String, String> environment = System.getenv();
        if (!isNamedBy(environment)) {
            WebFluxChain.run(out);
            return;
        }
        CaracalConfig peer = peer(environment)
                .orElseThrow(
                        () -> new IllegalStateException("Name the application that is called, and the resource that it"
                                + " calls in turn, with " + PEER_VARIABLES + " to run this example"));
        WebFluxChain.run(loaded(environment), peer, out);
    }

    private static boolean isNamedBy(Map<String, String> environment) {
        return environment.entrySet().stream()
                .anyMatch(
                        e -> e.getKey().startsWith("CARACAL_") && !e.getValue().isEmpty());
    }

    /** Like {@link #open()}, with a change to the resource of the local platform. */
    static Deployment open(UnaryOperator<ProtectedResource> change) {
        Map<String, String> environment = System.getenv();
        if (isNamedBy(environment)) {
            return new Deployment(Caracal.create(loaded(environment)), null, environment);
        }
        LocalPlatform platform = LocalPlatform.builder()
                .application("app-local", UUID.randomUUID().toString())
                .application(PEER, PEER_SECRET)
                .resource(change.apply(ProtectedResource.of(RESOURCE, SCOPE, OTHER_SCOPE)))
                .resource(ProtectedResource.of(PEER_RESOURCE, PEER_SCOPE).withOwner(PEER))
                .limits(PlatformLimits.builder()
                        .serviceLease(Duration.ofSeconds(6))
                        .leaseSweep(Duration.ofSeconds(1))
                        .build())
                .console(0)
                .start();
        return new Deployment(charging(platform, connected(platform)), platform, environment);
    }

    /** The configuration of the environment, with the scopes in {@code CARACAL_RESOURCE_SCOPE} if it is set. */
    private static CaracalConfig loaded(Map<String, String> environment) {
        CaracalConfig config = CaracalConfig.load();
        String scopes = environment.getOrDefault(RESOURCE_SCOPE, "");
        String resource = environment.getOrDefault(RESOURCE_ID, "");
        return scopes.isBlank() || resource.isBlank()
                ? config
                : config.mutate().resourceScopes(resource, words(scopes)).build();
    }

    private static String[] words(String text) {
        return text.strip().split("\\s+");
    }

    /** A client that charges: its calls to the resource need one scope. */
    private static Caracal charging(LocalPlatform platform, CaracalConfig.Builder config) {
        return Caracal.create(
                config.resource(RESOURCE, platform.upstreamUrl(), SCOPE).build());
    }

    /** The configuration of the first application at a local platform, still without resources. */
    static CaracalConfig.Builder connected(LocalPlatform platform) {
        return CaracalConfig.builder()
                .zoneId(platform.zoneId())
                .applicationId(platform.applicationId())
                .clientSecret(platform.clientSecret())
                .stsUrl(platform.stsUrl())
                .coordinatorUrl(platform.coordinatorUrl())
                .gatewayUrl(platform.gatewayUrl());
    }

    Caracal caracal() {
        return caracal;
    }

    /** The local platform, if the example runs on one. */
    Optional<LocalPlatform> platform() {
        return Optional.ofNullable(platform);
    }

    /** Another client of the same application, as in a second process; closed with this deployment. */
    Caracal another() {
        if (platform == null) {
            return closedAtTheEnd(Caracal.create(loaded(environment)));
        }
        return closedAtTheEnd(charging(platform, connected(platform)));
    }

    /**
     * Another application with its own resource; only the owner of a resource can use a delegation on it.
     *
     * @param client its client
     * @param resource the resource
     * @param path the path of its calls
     * @param scope its scope
     */
    record Peer(Caracal client, String resource, String path, String scope) {}

    /** Another application, whose client is closed with this deployment; empty if {@value #PEER_VARIABLES} are not set. */
    Optional<Peer> peer() {
        Optional<CaracalConfig> config = platform == null
                ? peer(environment)
                : Optional.of(connected(platform)
                        .applicationId(PEER)
                        .clientSecret(PEER_SECRET)
                        .resource(PEER_RESOURCE, platform.upstreamUrl(), PEER_SCOPE)
                        .build());
        return config.map(this::peer);
    }

    private Peer peer(CaracalConfig config) {
        ResourceBinding own = config.resources().get(0);
        return new Peer(
                closedAtTheEnd(Caracal.create(config)),
                own.resource(),
                environment.getOrDefault("CARACAL_PEER_RESOURCE_PATH", resourcePath()),
                own.scopes().get(0));
    }

    private static Optional<CaracalConfig> peer(Map<String, String> environment) {
        String applicationId = environment.get(PEER_ID);
        String clientSecret = environment.get("CARACAL_PEER_APP_CLIENT_SECRET");
        // One resource is enough here: ID=ADDRESS, as in CARACAL_RESOURCES.
        String[] resource =
                environment.getOrDefault("CARACAL_PEER_RESOURCES", "").split("[=,]", 3);
        if (applicationId == null || clientSecret == null || resource.length < 2) {
            return Optional.empty();
        }
        String[] scopes = words(environment.getOrDefault("CARACAL_PEER_RESOURCE_SCOPE", PEER_SCOPE));
        return Optional.of(CaracalConfig.load()
                .mutate()
                .applicationId(applicationId)
                .clientSecret(clientSecret)
                .resourceIds()
                .resources(List.of(new ResourceBinding(resource[0].strip(), resource[1].strip(), List.of(scopes))))
                .build());
    }

    String peerApplicationId() {
        return environment.getOrDefault(PEER_ID, PEER);
    }

    private Caracal closedAtTheEnd(Caracal client) {
        others.add(client);
        return client;
    }

    String resourceId() {
        return environment.getOrDefault(RESOURCE_ID, RESOURCE);
    }

    /** The scope of the examples' calls to the resource: the first configured one. */
    String scope() {
        return scopes()[0];
    }

    /** Another configured scope of the resource, or else an unknown one. */
    String otherScope() {
        String[] scopes = scopes();
        return scopes.length > 1 ? scopes[1] : OTHER_SCOPE;
    }

    private String[] scopes() {
        return words(environment.getOrDefault(RESOURCE_SCOPE, SCOPE));
    }

    String resourcePath() {
        return environment.getOrDefault("CARACAL_RESOURCE_PATH", "/charge");
    }

    /** The upstream prefix of the resource, for examples that call it at its own address. */
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

    /** Prints the audit trail of a call (mint, use, action), or where to find it. */
    void explain(String requestId, PrintStream out) {
        if (platform == null) {
            out.println("Look the request " + requestId + " up in the Console: audit, then explain");
            return;
        }
        List<String> lines = platform.audit().ofCall(requestId).stream()
                .map(event -> "audit " + event.eventType() + " " + event.decision() + " " + event.requestId())
                .toList();
        lines.forEach(out::println);
    }

    @Override
    public void close() {
        Flux.fromIterable(others)
                .concatWithValues(caracal)
                .flatMap(Caracal::disposeLater)
                .blockLast(CLOSE_TIMEOUT);
        if (platform != null) {
            platform.disposeLater().block(CLOSE_TIMEOUT);
        }
    }
}
