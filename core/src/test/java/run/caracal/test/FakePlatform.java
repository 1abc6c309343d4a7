package run.caracal.test;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.Base64;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedDeque;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.ExtensionContext;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.vectors.VectorJson;

/**
 * A scripted transport: an STS and a Coordinator in a few lines, which answer at once unless the script says otherwise.
 *
 * <p>As a registered extension it closes its clients after each test, and fails a test that left a session open.
 */
public final class FakePlatform implements HttpTransport, AfterEachCallback {
    public static final String GATEWAY = "https://gateway.example.com";
    public static final String BILLING = "https://billing.example.com";

    /** How long a test waits at most. */
    public static final Duration LIMIT = Duration.ofSeconds(10);

    private static final Duration CLOSE_LIMIT = Duration.ofSeconds(30);

    private record Rule(Predicate<HttpRequest> when, UnaryOperator<Mono<HttpResponse>> then) {}

    private final List<HttpRequest> requests = new CopyOnWriteArrayList<>();
    private final Deque<Rule> script = new ConcurrentLinkedDeque<>();
    private final List<Rule> otherwise = new CopyOnWriteArrayList<>();
    private final Map<String, String> keys = new ConcurrentHashMap<>();
    private final Set<String> live = ConcurrentHashMap.newKeySet();
    private final List<String> ended = new CopyOnWriteArrayList<>();
    private final AtomicInteger tokens = new AtomicInteger();
    private final AtomicInteger sessions = new AtomicInteger();
    private final Map<String, String> parents = new ConcurrentHashMap<>();
    private final Map<String, Integer> generations = new ConcurrentHashMap<>();
    private volatile Duration leaseLength = Duration.ofSeconds(120);
    private volatile Duration clockSkew = Duration.ZERO;
    private final Map<String, String> edges = new ConcurrentHashMap<>();
    private final AtomicInteger edgeIds = new AtomicInteger();
    private final List<Caracal> clients = new CopyOnWriteArrayList<>();
    private volatile Mono<Void> tls = Mono.empty();
    private volatile boolean disposed;

    /** The configuration of a client of this platform. */
    public CaracalConfig.Builder config() {
        return CaracalConfig.builder()
                .zoneId("zone-1")
                .applicationId("app-1")
                .clientSecret("the-client-secret")
                .stsUrl("https://sts.example.com")
                .coordinatorUrl("https://coordinator.example.com")
                .gatewayUrl(GATEWAY)
                .resource("resource://billing-api", BILLING)
                .transport(this);
    }

    /** A client of this platform. */
    public Caracal client() {
        Caracal client = Caracal.create(config().build());
        if (!VirtualTimeScheduler.isFactoryEnabled()) { // its schedulers end with the virtual time
            clients.add(client);
        }
        return client;
    }

    @Override
    public void afterEach(ExtensionContext context) {
        for (Caracal client : clients) {
            StepVerifier.create(client.disposeLater()).expectComplete().verify(CLOSE_LIMIT);
        }
        assertThat(live()).as("sessions left open").isEmpty();
    }

    /** After some time nothing of the client is open, and it closes; virtual time ends with it. */
    public void nothingStaysOpen(Caracal client, VirtualTimeScheduler time, Duration passes) {
        try {
            time.advanceTimeBy(passes);
            assertThat(live()).isEmpty();
            StepVerifier.create(client.disposeLater())
                    .then(() -> time.advanceTimeBy(Duration.ofSeconds(30)))
                    .expectComplete()
                    .verify(CLOSE_LIMIT);
        } finally {
            VirtualTimeScheduler.reset();
        }
    }

    @Override
    public Mono<Void> prepareTls() {
        return tls;
    }

    /** What clients created from now on prepare. */
    public void tls(Mono<Void> preparation) {
        tls = preparation;
    }

    /** The next request that matches is answered otherwise; rules are used in their order, once each. */
    public void next(Predicate<HttpRequest> when, UnaryOperator<Mono<HttpResponse>> then) {
        script.add(new Rule(when, then));
    }

    /** All requests that match, and that no other rule takes, are answered otherwise. */
    public void always(Predicate<HttpRequest> when, UnaryOperator<Mono<HttpResponse>> then) {
        otherwise.add(new Rule(when, then));
    }

    /** The next request that matches gets this answer and has no effect. */
    public void nextAnswer(Predicate<HttpRequest> when, int status, String body) {
        next(when, real -> Mono.just(answer(status, body)));
    }

    /** The next request that matches takes effect, but its answer is replaced by an error. */
    public void nextLost(Predicate<HttpRequest> when, Throwable error) {
        next(when, real -> real.then(Mono.error(error)));
    }

    public static boolean isToken(HttpRequest request) {
        return request.uri().getPath().equals("/oauth/2/token");
    }

    /** A one-shot mandate is asked for. */
    public static boolean isMint(HttpRequest request) {
        return isToken(request) && body(request).contains("agent_session_id=");
    }

    /** A call of a protected resource. */
    public static boolean isGateway(HttpRequest request) {
        return request.uri().toString().startsWith(GATEWAY);
    }

    public static boolean isApproval(HttpRequest request) {
        return request.uri().getPath().startsWith("/approvals/");
    }

    public static boolean isOpen(HttpRequest request) {
        return request.method().equals("POST") && request.uri().getPath().endsWith("/agents");
    }

    public static boolean isTerminate(HttpRequest request) {
        return request.method().equals("DELETE");
    }

    public static boolean isHeartbeat(HttpRequest request) {
        return request.uri().getPath().endsWith("/heartbeat");
    }

    public static boolean isAttach(HttpRequest request) {
        return request.uri().getPath().endsWith("/lease");
    }

    /** How long leases are, and how far the Coordinator's clock is ahead of this machine's. */
    public void leases(Duration length, Duration skew) {
        leaseLength = length;
        clockSkew = skew;
    }

    private String lease(int generation) {
        Instant now = Instant.now().plus(clockSkew);
        return "\"lease_generation\":" + generation + ",\"last_heartbeat_at\":\"" + now
                + "\",\"heartbeat_deadline_at\":\"" + now.plus(leaseLength) + "\"";
    }

    public static boolean isDelegate(HttpRequest request) {
        return request.method().equals("POST") && request.uri().getPath().endsWith("/delegations");
    }

    public static boolean isInbound(HttpRequest request) {
        return request.method().equals("GET") && request.uri().getPath().contains("/delegations/inbound/");
    }

    public static boolean isRevoke(HttpRequest request) {
        return request.method().equals("PATCH") && request.uri().getPath().endsWith("/revoke");
    }

    /** The delegations that are active, with the session that received each. */
    public Map<String, String> edges() {
        return edges;
    }

    public List<HttpRequest> requests(Predicate<HttpRequest> which) {
        return requests.stream().filter(which).toList();
    }

    public static String body(HttpRequest request) {
        byte[] body = request.body();
        return body == null ? "" : new String(body, StandardCharsets.UTF_8);
    }

    /** Sessions that were opened and not terminated. */
    public Set<String> live() {
        return live;
    }

    /** Sessions in the order of their termination. */
    public List<String> ended() {
        return ended;
    }

    public int opened() {
        return sessions.get();
    }

    public static HttpResponse answer(int status, String body) {
        return new HttpResponse(
                status, Map.of("Content-Type", "application/json"), body.getBytes(StandardCharsets.UTF_8));
    }

    @Override
    public Mono<HttpResponse> exchange(HttpRequest request) {
        return Mono.defer(() -> {
            requests.add(request);
            Mono<HttpResponse> real = Mono.fromSupplier(() -> handle(request));
            return script.stream()
                    .filter(rule -> rule.when().test(request))
                    .findFirst()
                    .filter(script::remove)
                    .or(() -> otherwise.stream()
                            .filter(rule -> rule.when().test(request))
                            .findFirst())
                    .map(rule -> rule.then().apply(real))
                    .orElse(real);
        });
    }

    private HttpResponse handle(HttpRequest request) {
        if (isToken(request)) {
            return answer(
                    200,
                    "{\"access_token\":\"token-" + tokens.incrementAndGet()
                            + "\",\"token_type\":\"Bearer\",\"expires_in\":900}");
        }
        if (isOpen(request)) {
            String key = header(request, "Idempotency-Key");
            boolean replay = key != null && keys.containsKey(key);
            String id = replay ? keys.get(key) : "session-" + sessions.incrementAndGet();
            if (!replay) {
                live.add(id);
                String parent = VectorJson.parseObject(body(request).getBytes(StandardCharsets.UTF_8))
                        .stringOrNull("parent_id");
                if (parent != null) {
                    parents.put(id, parent);
                }
                generations.put(id, 1);
                if (key != null) {
                    keys.put(key, id);
                }
            }
            String edge = body(request).contains("\"inherit_parent_edge_id\"")
                    ? "\"" + newEdge(Objects.requireNonNull(id)) + "\""
                    : "null";
            return new HttpResponse(
                    201,
                    replay ? Map.of("Idempotency-Replayed", "true") : Map.of(),
                    ("{\"agent_session_id\":\"" + id + "\",\"delegation_edge_id\":" + edge
                                    + (body(request).contains("\"service\"") ? "," + lease(1) : "") + "}")
                            .getBytes(StandardCharsets.UTF_8));
        }
        if (isHeartbeat(request) || isAttach(request)) {
            String path = request.uri().getPath();
            String id = path.substring(0, path.lastIndexOf('/'));
            id = id.substring(id.lastIndexOf('/') + 1);
            if (!live.contains(id)) {
                return answer(404, "{\"error\":\"session_not_found\"}");
            }
            return isAttach(request)
                    ? answer(200, "{\"status\":\"active\"," + lease(generations.merge(id, 1, Integer::sum)) + "}")
                    : answer(
                            200,
                            "{\"agent\":{\"id\":\"" + id + "\",\"status\":\"active\","
                                    + lease(generations.getOrDefault(id, 1)) + "}}");
        }
        if (isDelegate(request)) {
            return delegate(request);
        }
        if (isInbound(request)) {
            String[] path = request.uri().getPath().split("/", -1);
            String edge = path[path.length - 1];
            return path[path.length - 2].equals(edges.get(edge))
                    ? answer(200, "{\"id\":\"" + edge + "\",\"status\":\"active\"}")
                    : answer(404, "{\"error\":\"delegation_not_found\"}");
        }
        if (isRevoke(request)) {
            String[] path = request.uri().getPath().split("/", -1);
            return edges.remove(path[path.length - 2]) == null
                    ? answer(404, "{\"error\":\"delegation_not_found\"}")
                    : answer(200, "{\"revoked_edges\":1,\"affected_sessions\":1,\"terminated_sessions\":1}");
        }
        if (isTerminate(request)) {
            String path = request.uri().getPath();
            String id = path.substring(path.lastIndexOf('/') + 1);
            if (!end(id)) {
                return answer(404, "{\"error\":\"session_not_found\"}");
            }
            return new HttpResponse(204, Map.of(), new byte[0]);
        }
        return isGateway(request) ? answer(200, "{}") : answer(404, "{\"error\":\"not_found\"}");
    }

    /** The end of a session ends its children. */
    private boolean end(String id) {
        if (!live.remove(id)) {
            return false;
        }
        parents.forEach((child, parent) -> {
            if (parent.equals(id)) {
                var unused = end(child);
            }
        });
        ended.add(id);
        return true;
    }

    private HttpResponse delegate(HttpRequest request) {
        String key = "delegate " + header(request, "Idempotency-Key");
        String edge = keys.get(key);
        if (edge == null) {
            edge = newEdge(VectorJson.parseObject(body(request).getBytes(StandardCharsets.UTF_8))
                    .string("target_session_id"));
            keys.put(key, edge);
        }
        return answer(201, "{\"delegation_edge_id\":\"" + edge + "\",\"expires_at\":\"2030-01-01T00:00:00.000Z\"}");
    }

    private String newEdge(String target) {
        String edge = "edge-" + edgeIds.incrementAndGet();
        edges.put(edge, target);
        return edge;
    }

    public static @Nullable String header(HttpRequest request, String name) {
        return request.headers().entrySet().stream()
                .filter(e -> e.getKey().equalsIgnoreCase(name))
                .map(Map.Entry::getValue)
                .findFirst()
                .orElse(null);
    }

    /** A token with an invalid signature. */
    public static String jwt(String header, String claims) {
        Base64.Encoder base64 = Base64.getUrlEncoder().withoutPadding();
        return base64.encodeToString(header.getBytes(StandardCharsets.UTF_8)) + "."
                + base64.encodeToString(claims.getBytes(StandardCharsets.UTF_8)) + ".c2lnbmF0dXJl";
    }

    /** The next token is that of a user. */
    public void nextUser(String claims) {
        nextAnswer(
                FakePlatform::isToken,
                200,
                "{\"access_token\":\"" + jwt("{\"alg\":\"ES256\"}", claims)
                        + "\",\"token_type\":\"Bearer\",\"expires_in\":900}");
    }

    /** All requests carry the header, with one value. */
    public static void assertOneValue(List<HttpRequest> requests, String name) {
        assertThat(requests)
                .extracting(request -> header(request, name))
                .doesNotContainNull()
                .containsOnly(header(requests.get(0), name));
    }

    @Override
    public Mono<Void> disposeLater() {
        return Mono.fromRunnable(this::dispose);
    }

    @Override
    public void dispose() {
        disposed = true;
    }

    @Override
    public boolean isDisposed() {
        return disposed;
    }
}
