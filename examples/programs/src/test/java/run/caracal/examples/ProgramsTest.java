package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.ServerSocket;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.ProtectedResource;
import run.caracal.platform.ReceivedRequest;
import run.caracal.platform.Service;

/** The example programs, run as a user runs them. */
class ProgramsTest {
    private static final Duration LIMIT = Duration.ofSeconds(20);
    private static final Pattern OPENED = Pattern.compile("session (\\S+) opened");
    private static final Pattern GATEWAY = Pattern.compile("gateway 200 (\\S+)");

    private static List<String> output(Consumer<PrintStream> program) {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        program.accept(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        return bytes.toString(StandardCharsets.UTF_8).lines().toList();
    }

    private static void assertQuickstart(List<String> lines) {
        Matcher opened = OPENED.matcher(lines.get(0));
        assertThat(opened.matches()).as(lines.get(0)).isTrue();
        assertAudited(lines, 1);
        assertThat(lines).endsWith("session " + opened.group(1) + " closed");
    }

    /** Each call that the Gateway answered is audited thrice, in this order: the mint of its mandate, the use, the action. */
    private static void assertAudited(List<String> lines, int calls) {
        List<String> requests = lines.stream()
                .map(GATEWAY::matcher)
                .filter(Matcher::matches)
                .map(gateway -> gateway.group(1))
                .toList();
        assertThat(requests).as("%s", lines).hasSize(calls).allSatisfy(request -> {
            int use = lines.indexOf("audit gateway_resource_request allow " + request) - 1;
            assertThat(use).as("%s", lines).isPositive();
            assertThat(lines.get(use)).isEqualTo("audit token_exchange allow " + request);
            assertThat(lines.get(use - 1)).startsWith("audit token_exchange allow ");
        });
        assertThat(lines.stream().filter(line -> line.startsWith("audit "))).hasSize(3 * calls);
    }

    @Test
    void quickstartPrintsWhatHappens() {
        assertQuickstart(output(Quickstart::run));
    }

    @Test
    void webclientReachesTheResourceThroughEveryClient() {
        assertThat(output(WebClientExample::run))
                .filteredOn(line -> line.endsWith(": 200"))
                .hasSize(4);
    }

    @Test
    void pipelineChargesEveryInvoice() {
        assertThat(output(Pipeline::run)).contains("50 of 50 invoices charged");
    }

    @Test
    void protectedCallShowsMintUseAndAction() {
        List<String> lines = output(ProtectedCall::run);
        assertAudited(lines, 1);
        assertThat(lines).hasSize(4);
    }

    private static List<String> approval(String typed) {
        return output(out -> Approval.run(out, new ByteArrayInputStream(typed.getBytes(StandardCharsets.UTF_8))));
    }

    @Test
    void anApprovedCallGoesThrough() {
        List<String> lines = approval("y\n");
        assertThat(lines.get(0)).matches(OPENED);
        assertThat(lines.get(1)).startsWith("held ");
        assertThat(lines.get(2)).startsWith("  tier high, for resource://billing-api, until 20");
        assertThat(lines.get(3)).matches("  binding [0-9a-f]{64}");
        assertThat(lines.get(4)).matches("  console http://127\\.0\\.0\\.1:\\d+");
        assertThat(lines.get(5)).startsWith("approve? [y/n] gateway 200 ");
        assertThat(lines.stream()
                        .filter(line -> line.startsWith("audit "))
                        .map(line -> line.replaceAll("audit (\\S+ \\S+) .*", "$1")))
                .containsExactly(
                        "token_exchange allow",
                        "step_up_consumed consumed",
                        "token_exchange allow",
                        "gateway_resource_request allow");
        assertThat(lines).endsWith("session closed");
    }

    @ParameterizedTest
    @ValueSource(strings = {"n\n", "", "what?\n"})
    void aCallThatIsNotApprovedIsRefused(String typed) {
        assertThat(approval(typed))
                .anyMatch(line -> line.startsWith("approve? [y/n] refused approval_rejected: "))
                .noneMatch(line -> line.startsWith("audit "))
                .endsWith("session closed");
    }

    private static LocalPlatform withApproval() {
        return LocalPlatform.builder()
                .resource(ProtectedResource.of("resource://billing-api", "billing:charge")
                        .withApproval("high"))
                .start();
    }

    /** Against a deployment the program does not prompt: the decision is made elsewhere, and the call waits for it. */
    @Test
    void anApprovalAgainstADeploymentWaitsForTheConsole() throws Exception {
        LocalPlatform platform = withApproval();
        Process program = start(platform.environment(), "approval");
        try {
            List<String> lines = lines(program, line -> {
                if (line.startsWith("decide in the Console")) {
                    platform.decideApproval(platform.approvals().get(0).id(), true);
                }
            });
            assertThat(program.waitFor()).as("%s", lines).isZero();
            assertThat(lines).anyMatch(line -> GATEWAY.matcher(line).matches()).endsWith("session closed");
            assertThat(platform.openSessionCount()).isZero();
        } finally {
            program.destroyForcibly();
            platform.disposeLater().block(LIMIT);
        }
    }

    /** No user decides, at the terminal or in the Console, and the program is terminated. */
    @Test
    void anApprovalThatIsInterruptedLeavesNoSession() throws Exception {
        LocalPlatform platform = withApproval();
        Process program = start(platform.environment(), "approval");
        try {
            List<String> lines = lines(program, line -> {
                if (line.startsWith("decide in the Console")) {
                    assertThat(platform.openSessionCount()).isPositive();
                    assertThat(program.toHandle().destroy()).isTrue();
                }
            });
            assertThat(program.waitFor(5, TimeUnit.SECONDS)).as("%s", lines).isTrue();
            assertThat(lines).noneMatch(ProgramsTest::isNoise);
            assertThat(platform.openSessionCount()).isZero();
        } finally {
            program.destroyForcibly();
            platform.disposeLater().block(LIMIT);
        }
        Process asking = start(Map.of(), "approval");
        // Its input stays open and empty: the program waits for a line that never comes.
        assertThat(readUntil(asking, "approve? [y/n] ")).contains("held ");
        assertThat(asking.toHandle().destroy()).isTrue();
        assertThat(asking.waitFor(10, TimeUnit.SECONDS)).isTrue();
    }

    /** No user answers at the terminal: the decision is made on the console page. */
    @ParameterizedTest
    @CsvSource({"approve, gateway 200 ", "reject, refused approval_rejected: "})
    void anApprovalWaitsForTheConsolePage(String button, String outcome) throws Exception {
        Process program = start(Map.of(), "approval");
        try {
            String asked = readUntil(program, "approve? [y/n] ");
            HttpResponse<String> done = HttpClient.newHttpClient()
                    .send(
                            HttpRequest.newBuilder(URI.create(after("console ", asked) + "/actions"))
                                    .header("Content-Type", "application/json")
                                    .POST(BodyPublishers.ofString(
                                            "{\"action\":\"" + button + "\",\"id\":\"" + after("held ", asked) + "\"}"))
                                    .build(),
                            BodyHandlers.ofString());
            assertThat(done.statusCode()).as(done.body()).isEqualTo(200);
            assertThat(lines(program))
                    .anyMatch(line -> line.startsWith(outcome))
                    .endsWith("session closed");
            assertThat(program.waitFor()).isZero();
        } finally {
            program.destroyForcibly();
        }
    }

    private static String after(String word, String text) {
        Matcher matcher = Pattern.compile(word + "(\\S+)").matcher(text);
        assertThat(matcher.find()).as(text).isTrue();
        return matcher.group(1);
    }

    private static String readUntil(Process program, String end) throws IOException {
        StringBuilder text = new StringBuilder();
        int next = program.getInputStream().read();
        while (next >= 0 && text.indexOf(end) < 0) {
            text.append((char) next);
            next = text.indexOf(end) < 0 ? program.getInputStream().read() : -1;
        }
        return text.toString();
    }

    @Test
    void delegationPrintsEachStepAndRefusal() {
        assertDelegation(output(DelegationExample::run));
    }

    private static void assertDelegation(List<String> lines) {
        assertAudited(lines, 2);
        assertThat(lines)
                .anyMatch(line -> line.endsWith("opened, narrowed to billing:charge"))
                .anyMatch(line -> line.contains(" holds delegation"))
                .anyMatch(line -> line.startsWith("child passed billing:charge on to"))
                .contains("child may not pass on billing:read: refused 403 delegation_exceeds_parent_authority")
                .anyMatch(line -> line.startsWith("peer accepted delegation"))
                .endsWith("parent closed");
    }

    /**
     * Against a deployment all names are its own. The peer has variables of its own too; without them it is left out, with a
     * line that names them.
     */
    @Test
    void delegationTakesAllNamesFromTheEnvironmentAndLeavesOutAPeerThatIsNotConfigured() throws Exception {
        LocalPlatform platform = LocalPlatform.builder()
                .application("app-own", "secret-1")
                .application("app-peer", "secret-2")
                .resource(ProtectedResource.of("resource://shelf", "shelf:fill", "shelf:look"))
                .resource(ProtectedResource.of("resource://peer-books", "books:keep")
                        .withOwner("app-peer"))
                .start();
        try {
            Map<String, String> environment = oneResource(platform, "shelf:fill shelf:look");
            assertThat(run(environment, "delegation"))
                    .anyMatch(line -> line.endsWith("opened, narrowed to shelf:fill"))
                    .contains("child may not pass on shelf:look: refused 403 delegation_exceeds_parent_authority")
                    .anyMatch(line -> line.contains("CARACAL_PEER_RESOURCES"))
                    .endsWith("parent closed");
            environment.put("CARACAL_PEER_APPLICATION_ID", "app-peer");
            environment.put("CARACAL_PEER_APP_CLIENT_SECRET", "secret-2");
            environment.put("CARACAL_PEER_RESOURCES", "resource://peer-books=" + platform.upstreamUrl());
            environment.put("CARACAL_PEER_RESOURCE_SCOPE", "books:keep");
            environment.put("CARACAL_PEER_RESOURCE_PATH", "/echo/of-the-peer");
            assertThat(run(environment, "delegation"))
                    .anyMatch(line -> line.startsWith("parent delegated books:keep"))
                    .anyMatch(line -> line.startsWith("peer accepted delegation"))
                    .endsWith("parent closed");
            assertThat(platform.received(Service.UPSTREAM))
                    .extracting(ReceivedRequest::uri)
                    .contains("/charge", "/echo/of-the-peer");
            assertThat(platform.openSessionCount()).isZero();
        } finally {
            platform.disposeLater().block(LIMIT);
        }
    }

    /** The Gateway finds the two services at the addresses of their resources. */
    @Test
    void webfluxChainRunsAgainstADeploymentByConfigurationAlone() throws Exception {
        String shop = "http://127.0.0.1:" + freePort();
        String books = "http://127.0.0.1:" + freePort();
        LocalPlatform platform = LocalPlatform.builder()
                .application("app-own", "secret-1")
                .application("app-shop", "secret-2")
                .resource(ProtectedResource.of("resource://shop", "shop:buy").withUpstream(shop))
                .resource(ProtectedResource.of("resource://books", "books:keep")
                        .withOwner("app-shop")
                        .withUpstream(books))
                .start();
        try {
            Map<String, String> environment = new LinkedHashMap<>(platform.environment());
            Process alone = start(environment, "webflux-chain");
            assertThat(lines(alone)).anyMatch(line -> line.contains("CARACAL_PEER_RESOURCES"));
            assertThat(alone.waitFor()).isEqualTo(1);
            environment.put("CARACAL_PEER_APPLICATION_ID", "app-shop");
            environment.put("CARACAL_PEER_APP_CLIENT_SECRET", "secret-2");
            environment.put("CARACAL_PEER_RESOURCES", "resource://books=" + books);
            environment.put("CARACAL_PEER_RESOURCE_SCOPE", "books:keep");
            assertThat(run(environment, "webflux-chain"))
                    .anyMatch(line -> line.startsWith("agent delegated books:keep to session "))
                    .anyMatch(line -> line.startsWith("orders let in app-own > app-own in session "))
                    .anyMatch(line -> line.startsWith("ledger let in app-own > app-shop in session "))
                    .contains("gateway 200 appended", "agent session closed");
            assertThat(platform.openSessionCount()).isZero();
        } finally {
            platform.disposeLater().block(LIMIT);
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0)) {
            return socket.getLocalPort();
        }
    }

    /** As the platform's tutorial sets it up: one resource, and its scopes in a variable beside its id. */
    private static Map<String, String> oneResource(LocalPlatform platform, String scopes) {
        Map<String, String> environment = new LinkedHashMap<>(platform.environment());
        environment.remove("CARACAL_RESOURCE_SCOPES");
        environment.put("CARACAL_RESOURCE_SCOPE", scopes);
        return environment;
    }

    @Test
    void quickstartTakesTheScopesOfItsResourceFromTheEnvironment() throws Exception {
        LocalPlatform platform = LocalPlatform.builder()
                .resource(ProtectedResource.of("resource://shelf", "shelf:fill", "shelf:look"))
                .start();
        try {
            assertThat(run(oneResource(platform, " shelf:fill  shelf:look "), "quickstart"))
                    .anyMatch(line -> line.startsWith("gateway 200 "));
            assertThat(platform.received(Service.STS))
                    .anyMatch(seen ->
                            seen.body().contains("shelf%3Afill") && seen.body().contains("shelf%3Alook"));
        } finally {
            platform.disposeLater().block(LIMIT);
        }
    }

    private static List<String> run(Map<String, String> environment, String name) throws Exception {
        Process program = start(environment, name);
        AtomicLong lastLine = new AtomicLong(System.nanoTime());
        List<String> lines = lines(program, line -> lastLine.set(System.nanoTime()));
        assertThat(program.waitFor()).as("%s: %s", name, lines).isZero();
        assertThat(Duration.ofNanos(System.nanoTime() - lastLine.get()))
                .as("%s has nothing left that keeps it", name)
                .isLessThan(Duration.ofSeconds(7));
        return lines;
    }

    private static void assertDaemon(List<String> lines) {
        assertThat(lines)
                .containsSubsequence(
                        "first: lease renewed",
                        "the Coordinator is down",
                        "first: lease not renewed (transport_connect)",
                        "the Coordinator is back",
                        "first: lease renewed")
                .containsSubsequence("the Coordinator is back", "second: lease renewed", "second: session closed")
                .containsOnlyOnce("first: lease lost, FENCED")
                .anyMatch(line -> line.startsWith("first: stopped, "))
                .anyMatch(line -> line.startsWith("second: took session "));
    }

    /** SIGTERM cancels the work, the session is closed, and the process has gone within seconds. */
    @Test
    void theDaemonClosesItsSessionOnSigterm() throws Exception {
        LocalPlatform platform = LocalPlatform.builder()
                .limits(PlatformLimits.builder()
                        .serviceLease(Duration.ofSeconds(6))
                        .build())
                .start();
        Process daemon = start(platform.environment(), "daemon");
        try {
            List<String> lines = lines(daemon, line -> {
                if (line.contains("invoice charged")) {
                    // The service, and the child of it that makes the calls.
                    assertThat(platform.openSessionCount()).isEqualTo(2);
                    // Unlike the process's own, this destroy leaves its output open.
                    assertThat(daemon.toHandle().destroy()).isTrue();
                }
            });
            assertThat(daemon.waitFor(5, TimeUnit.SECONDS)).as("%s", lines).isTrue();
            assertThat(lines).endsWith("first: session closed").noneMatch(ProgramsTest::isNoise);
            assertThat(platform.openSessionCount()).isZero();
        } finally {
            daemon.destroyForcibly();
            platform.disposeLater().block(LIMIT);
        }
    }

    /** The Coordinator is away for longer than the lease, and the daemon is at work again when it is back. */
    @Test
    void theDaemonOutlivesItsLease() throws Exception {
        LocalPlatform platform = LocalPlatform.builder()
                .limits(PlatformLimits.builder()
                        .serviceLease(Duration.ofSeconds(4))
                        .leaseSweep(Duration.ofSeconds(1))
                        .build())
                .start();
        Process daemon = start(platform.environment(), "daemon");
        AtomicReference<String> last = new AtomicReference<>("");
        try {
            List<String> lines = lines(daemon, line -> {
                if (line.contains("invoice charged") && last.compareAndSet("", "first")) {
                    var unused =
                            platform.restartCoordinator(Duration.ofSeconds(6)).subscribe();
                } else if (OPENED.matcher(line).find() && last.compareAndSet("first", "reopened")) {
                    assertThat(platform.totalOpened()).isGreaterThan(2);
                } else if (line.contains("invoice charged") && last.compareAndSet("reopened", "done")) {
                    assertThat(daemon.toHandle().destroy()).isTrue();
                }
            });
            assertThat(daemon.waitFor(5, TimeUnit.SECONDS)).as("%s", lines).isTrue();
            assertThat(lines)
                    .containsOnlyOnce("first: lease lost, EXPIRED")
                    .endsWith("first: session closed")
                    .filteredOn(line -> OPENED.matcher(line).find())
                    .hasSize(2);
            assertThat(platform.openSessionCount()).isZero();
        } finally {
            daemon.destroyForcibly();
            platform.disposeLater().block(LIMIT);
        }
    }

    private static boolean isNoise(String line) {
        // A lost lease is a warning, as an operator wants it, and the daemon shows one.
        return !line.startsWith("WARN run.caracal.ServiceAgent - The lease of ")
                && (line.contains("Exception") || line.contains("WARN") || line.contains("\tat "));
    }

    /** As programs of their own they end by themselves, and say nothing besides. */
    @Test
    void theProgramsEndByThemselvesAndQuietly() {
        // The daemon takes the time of all others, and mostly waits.
        Mono<Void> all = Flux.just(
                        "daemon",
                        "quickstart",
                        "protected-call",
                        "pipeline",
                        "webclient",
                        "delegation",
                        "webflux-chain")
                .flatMap(
                        name -> Mono.fromCallable(() -> run(Map.of(), name))
                                .subscribeOn(Schedulers.boundedElastic())
                                .doOnNext(lines -> assertEnded(name, lines)),
                        2)
                .then();
        StepVerifier.create(all).expectComplete().verify(Duration.ofMinutes(3));
    }

    private static void assertEnded(String name, List<String> lines) {
        assertThat(lines).noneMatch(ProgramsTest::isNoise);
        switch (name) {
            case "quickstart" -> assertQuickstart(lines);
            case "protected-call" -> assertAudited(lines, 1);
            case "delegation" -> assertDelegation(lines);
            case "daemon" -> assertDaemon(lines);
            default -> assertThat(lines).isNotEmpty();
        }
    }

    @Test
    void anUnknownExampleIsNamedAndExitsWith2() throws Exception {
        Process program = start(Map.of(), "nope");
        assertThat(lines(program)).anyMatch(line -> line.contains("nope") && line.contains("quickstart"));
        assertThat(program.waitFor()).isEqualTo(2);
    }

    /** The same program runs against a deployment by configuration alone; here that is a platform in another process. */
    @Test
    void quickstartRunsAgainstAPlatformOfAnotherProcess() throws Exception {
        Process platform = start(Map.of(), "local-platform");
        try {
            Map<String, String> exports = exports(platform);
            assertThat(exports)
                    .containsKeys("CARACAL_CONFIG", "CARACAL_ZONE_ID", "CARACAL_RESOURCES", "CARACAL_RESOURCE_SCOPES");
            Map<String, String> profileOnly = Map.of("CARACAL_CONFIG", exports.get("CARACAL_CONFIG"));
            Map<String, String> environmentOnly = new LinkedHashMap<>(exports);
            environmentOnly.remove("CARACAL_CONFIG");
            Map<String, String> wrong =
                    with(environmentOnly, "CARACAL_APP_CLIENT_SECRET_FILE", "CARACAL_APP_CLIENT_SECRET", "wrong");
            Process refused = start(wrong, "quickstart");
            for (Process program : List.of(start(profileOnly, "quickstart"), start(environmentOnly, "quickstart"))) {
                List<String> lines = lines(program);
                assertThat(program.waitFor()).as("%s", lines).isZero();
                Matcher gateway = GATEWAY.matcher(lines.get(1));
                assertThat(gateway.matches()).as("%s", lines).isTrue();
                assertThat(lines).anyMatch(line -> line.startsWith("Look the request " + gateway.group(1) + " up"));
            }
            List<String> lines = lines(refused);
            assertThat(refused.waitFor()).isEqualTo(1);
            assertThat(lines).anyMatch(line -> line.contains("CARACAL_APP_CLIENT_SECRET"));
            assertThat(lines).noneMatch(line -> line.contains("\tat "));
        } finally {
            platform.destroy();
            assertThat(platform.waitFor(20, TimeUnit.SECONDS))
                    .as("ends on SIGTERM")
                    .isTrue();
        }
    }

    private static Map<String, String> with(
            Map<String, String> environment, String removed, String name, String value) {
        Map<String, String> changed = new LinkedHashMap<>(environment);
        changed.remove(removed);
        changed.put(name, value);
        return changed;
    }

    private static Process start(Map<String, String> environment, String name) throws IOException {
        List<String> command = new ArrayList<>();
        command.add(System.getProperty("java.home") + "/bin/java");
        if (Runtime.version().feature() >= 24) {
            command.add("--enable-native-access=ALL-UNNAMED");
            command.add("--sun-misc-unsafe-memory-access=allow");
        }
        // They live for a moment: compiling them well takes longer than they run.
        command.add("-XX:TieredStopAtLevel=1");
        command.add("-cp");
        command.add(System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")));
        command.add("run.caracal.examples.Examples");
        command.add(name);
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().keySet().removeIf(key -> key.startsWith("CARACAL_") || key.equals("JAVA_TOOL_OPTIONS"));
        builder.environment().putAll(environment);
        return builder.start();
    }

    private static List<String> lines(Process program) throws IOException {
        return lines(program, line -> {});
    }

    /** All that a program prints until it ends, each line shown at once. */
    private static List<String> lines(Process program, Consumer<String> each) throws IOException {
        try (BufferedReader reader = program.inputReader(StandardCharsets.UTF_8)) {
            return reader.lines().peek(each).toList();
        }
    }

    private static Map<String, String> exports(Process platform) throws IOException {
        Map<String, String> exports = new LinkedHashMap<>();
        BufferedReader reader =
                new BufferedReader(new InputStreamReader(platform.getInputStream(), StandardCharsets.UTF_8));
        for (String line = reader.readLine(); line != null; line = reader.readLine()) {
            if (line.startsWith("export ")) {
                int equals = line.indexOf('=');
                exports.put(
                        line.substring("export ".length(), equals),
                        line.substring(equals + 1).replace("'", ""));
            } else if (line.contains("the platform is up")) {
                return exports;
            }
        }
        throw new IOException("the platform ended: " + exports);
    }
}
