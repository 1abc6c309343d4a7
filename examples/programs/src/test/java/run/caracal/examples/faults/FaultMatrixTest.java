package run.caracal.examples.faults;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import run.caracal.error.ClosedException;
import run.caracal.error.LeaseLostException;
import run.caracal.event.CaracalEvent;
import run.caracal.event.Completion;
import run.caracal.examples.faults.Bench.Op;
import run.caracal.examples.faults.Bench.Shared;
import run.caracal.examples.faults.Bench.Where;
import run.caracal.examples.faults.Cell.Refused;
import run.caracal.examples.faults.Cell.Saw;
import run.caracal.examples.faults.FaultProxy.Plan;
import run.caracal.platform.GatewayMode;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.ProtectedResource;
import run.caracal.test.Threads;

/**
 * Every operation of the client under every fault: the result of its caller, and the leftovers. Each cell has a client of
 * its own, and proxies of its own between that and the platform. The outcome is written to {@code target/fault-matrix.md}.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class FaultMatrixTest {
    private static final Duration LIMIT = Duration.ofMinutes(5);

    /** The time limit of one cell on a busy machine. */
    private static final Duration CELL_LIMIT = Duration.ofSeconds(60);

    private static final int AT_ONCE = 40;

    private record Row(
            Cell cell,
            Saw saw,
            int attempts,
            int left,
            long services,
            long twice,
            int connections,
            long millis,
            List<String> wrong) {}

    private final Queue<Row> rows = new ConcurrentLinkedQueue<>();
    private final Queue<Bench> ended = new ConcurrentLinkedQueue<>();
    private Shared shared;
    private List<Cell> cells;
    private List<FaultProxy> upstreams;
    private LocalPlatform platform;
    private LocalPlatform hasty;
    private LocalPlatform ahead;
    private LocalPlatform behind;
    private LocalPlatform forgetful;

    @BeforeAll
    void start() {
        shared = new Shared();
        cells = Cells.all();
        upstreams = new ArrayList<>();
        for (Cell cell : cells) {
            Plan plan = cell.op() == Op.UPSTREAM ? cell.plan() : Plan.none();
            upstreams.add(cell.op().isSeenByTheUpstream() ? shared.proxy("", plan) : null);
        }
        platform = platform(PlatformLimits.defaults(), Clock.systemUTC());
        forgetful = platform(PlatformLimits.defaults(), Clock.systemUTC());
        Clock utc = Clock.systemUTC();
        ahead = platform(PlatformLimits.defaults(), Clock.offset(utc, Duration.ofMinutes(10)));
        behind = platform(PlatformLimits.defaults(), Clock.offset(utc, Duration.ofMinutes(-10)));
        hasty = platform(
                PlatformLimits.builder().upstreamTimeout(Duration.ofMillis(300)).build(), utc);
    }

    private LocalPlatform platform(PlatformLimits limits, Clock clock) {
        LocalPlatform.Builder builder = LocalPlatform.builder()
                .gatewayMode(GatewayMode.ONE_SHOT)
                .clock(clock)
                .limits(limits.mutate()
                        .sessionsPerZone(100_000)
                        .coordinatorRequestsPerMinute(1_000_000)
                        .mintsPerMinute(1_000_000)
                        .maxResourceTokenTtl(Duration.ofMinutes(5))
                        .recordedRequests(10)
                        .auditEvents(10)
                        .build());
        for (int i = 0; i < cells.size(); i++) {
            builder = builder.application(application(i), Bench.SECRET);
            ProtectedResource resource =
                    ProtectedResource.of(resource(i), Bench.SCOPE).withOwner(application(i));
            FaultProxy upstream = upstreams.get(i);
            builder = builder.resource(
                    upstream == null ? resource : resource.withUpstream("http://127.0.0.1:" + upstream.port()));
        }
        return builder.start();
    }

    private static String application(int cell) {
        return "app-" + cell;
    }

    private static String resource(int cell) {
        return "resource://billing-" + cell;
    }

    @AfterAll
    void stop() {
        ended.forEach(bench -> bench.proxies().forEach(FaultProxy::close));
        StepVerifier.create(Flux.just(platform, forgetful, ahead, behind, hasty)
                        .flatMap(LocalPlatform::disposeLater)
                        .then(shared.close()))
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void everyOperationUnderEveryFault() throws IOException {
        Mono<Void> all = Flux.range(0, cells.size())
                .flatMap(
                        i -> Mono.defer(() -> run(i))
                                .subscribeOn(Schedulers.boundedElastic())
                                .doOnNext(rows::add),
                        AT_ONCE)
                .then();
        StepVerifier.create(all).expectComplete().verify(LIMIT);
        List<String> wrong = new ArrayList<>();
        rows.stream()
                .filter(row -> !row.wrong().isEmpty())
                .forEach(row -> wrong.add(row.cell().name() + ": " + row.wrong()));
        for (Bench bench : ended) {
            if (bench.arrived() != bench.arrivedWhenClosed) {
                wrong.add(bench.application + ": a request after the close");
            }
        }
        StepVerifier.create(Bench.until(() -> Threads.named("caracal-").isEmpty()))
                .expectComplete()
                .verify(LIMIT);
        write();
        assertThat(wrong).isEmpty();
        assertThat(Threads.named("caracal-")).as("threads of closed clients").isEmpty();
        assertThat(shared.elsewhere.seen())
                .as("requests that followed a redirect")
                .isEmpty();
    }

    private Mono<Row> run(int index) {
        Cell cell = cells.get(index);
        Plan plan = cell.plan();
        boolean slowUpstream =
                cell.op() == Op.UPSTREAM && plan.fault() != null && plan.fault().isSlow();
        LocalPlatform at = switch (cell.world()) {
            case AHEAD -> ahead;
            case BEHIND -> behind;
            default -> slowUpstream ? hasty : platform;
        };
        FaultProxy upstream = upstreams.get(index);
        if (upstream != null) {
            upstream.retarget(at.upstreamUrl());
        }
        long start = System.nanoTime();
        Bench bench = new Bench(shared, at, cell.op(), plan, application(index), resource(index), upstream);
        List<String> wrong = new ArrayList<>();
        Mono<String> operation = switch (cell.world()) {
            case FORGETFUL -> bench.operateAcross(forgetful);
            case STALE_KEYS -> bench.verifyLater(Duration.ofMinutes(6));
            case OLD_KEYS -> bench.verifyLater(Duration.ofMinutes(11));
            default -> bench.operate();
        };
        return seen(operation)
                .flatMap(saw -> {
                    // A caller that met the fault once calls again, and the second call has to succeed.
                    boolean again = cell.once() && !saw.isOk();
                    Mono<Saw> recovery = again ? seen(bench.operate()) : Mono.just(saw);
                    return recovery.doOnNext(second -> {
                                if (again && !second.isOk()) {
                                    wrong.add("called again, the caller saw " + second);
                                }
                            })
                            .then(bench.end())
                            .thenReturn(saw);
                })
                .timeout(CELL_LIMIT)
                .flatMap(saw -> seenAfterTheClose(bench, wrong).thenReturn(saw))
                .map(saw -> {
                    ended.add(bench);
                    return row(cell, bench, saw, (System.nanoTime() - start) / 1_000_000, wrong);
                })
                .onErrorResume(e -> {
                    wrong.add("it did not end: " + e);
                    return Mono.just(new Row(cell, Saw.error(e), 0, 0, 0, 0, 0, 0, wrong));
                });
    }

    private static Mono<Saw> seen(Mono<String> operation) {
        return operation.map(Saw::value).onErrorResume(e -> Mono.just(Saw.error(e)));
    }

    private static Mono<Void> seenAfterTheClose(Bench bench, List<String> wrong) {
        bench.arrivedWhenClosed = bench.arrived();
        return bench.operateClosed()
                .then(Mono.<Void>fromRunnable(() -> wrong.add("an operation succeeded after the close")))
                .onErrorResume(e -> {
                    // A service that was lost before says so.
                    if (!(e instanceof ClosedException || e instanceof LeaseLostException)) {
                        wrong.add("after the close an operation failed with " + e);
                    }
                    return Mono.empty();
                });
    }

    private static Row row(Cell cell, Bench bench, Saw saw, long millis, List<String> wrong) {
        Cell.Expected expected = cell.expected();
        var left = bench.sessions(bench.platform);
        long services =
                left.stream().filter(s -> s.lifecycle().equals("service")).count();
        Row row = new Row(
                cell,
                saw,
                bench.attempts(),
                left.size(),
                services,
                bench.bearersTwice(),
                bench.connections(),
                millis,
                wrong);
        if (!List.of(expected.saw().split("/", -1)).contains(saw.code())) {
            wrong.add("the caller saw " + saw + ", not " + expected.saw());
        }
        String type = saw.type();
        String wanted = expected.type().isEmpty() ? type(cell.op(), saw.code()) : expected.type();
        if (!wanted.isEmpty() && !type.equals(wanted)) {
            wrong.add("the error is a " + type + ", not a " + wanted);
        }
        if (row.attempts() != expected.attempts()) {
            wrong.add(row.attempts() + " attempts, not " + expected.attempts());
        }
        if (row.left() != expected.left()) {
            wrong.add(row.left() + " sessions left, not " + expected.left());
        }
        // A service leaves a session with a lease; all others are tasks.
        boolean leased = cell.op() == Op.RENEW || cell.op() == Op.ATTACH;
        if (row.services() != (leased ? expected.left() : 0)) {
            wrong.add(row.services() + " leases left");
        }
        if (row.twice() != 0) {
            wrong.add("a bearer was presented twice");
        }
        if (row.connections() != 0) {
            wrong.add(row.connections() + " connections left");
        }
        checkFlags(cell, saw, wrong);
        checkEvents(cell, bench, row, wrong);
        return row;
    }

    /** The class of an error with this code; empty if the code implies none. */
    private static String type(Op op, String code) {
        return switch (code) {
            case "connect", "io", "timeout", "response_too_large" -> op.isControl() ? "TransportException" : "";
            case "protocol_error" -> "ProtocolException";
            case "ok", "200" -> "";
            case "error" -> op.where == Where.STS ? "StsException" : "CoordinatorException";
            default -> "";
        };
    }

    private static void checkFlags(Cell cell, Saw saw, List<String> wrong) {
        if (!cell.op().isControl()) {
            return;
        }
        Refused answer = cell.expected().answer();
        if (answer != null) {
            if (!new Refused(saw.status(), saw.retryable(), saw.ambiguous()).equals(answer)) {
                wrong.add("the error says " + saw + ", not " + answer);
            }
            return;
        }
        String flags = (saw.retryable() ? "retryable " : "") + (saw.ambiguous() ? "ambiguous" : "");
        String right = switch (saw.code()) {
            case "connect" -> cell.plan().fault() == WireFault.LOST_THEN_GONE ? "retryable ambiguous" : "retryable ";
            case "io", "timeout" -> "retryable ambiguous";
            case "response_too_large" -> "ambiguous";
            case "ok", "protocol_error" -> "";
            default -> flags;
        };
        if (!flags.equals(right)) {
            wrong.add("the error is " + flags + ", not " + right);
        }
    }

    /** Events account for every request, and report the failed end of each session that stays open. */
    private static void checkEvents(Cell cell, Bench bench, Row row, List<String> wrong) {
        long accounted = bench.accountedFor();
        long arrived = bench.arrivedAtControl();
        WireFault fault = cell.plan().fault();
        boolean unseen = fault != null && fault.isOfConnections() && cell.op().isControl();
        if (unseen ? arrived > accounted : arrived != accounted) {
            wrong.add(arrived + " requests arrived, and the events speak of " + accounted);
        }
        long failedEnds = bench.events.stream()
                .filter(e -> e instanceof CaracalEvent.SessionClosed closed
                        && closed.completion().outcome() == Completion.Outcome.FAILURE)
                .count();
        if (failedEnds < row.left() && !cell.isTakenAtItsWord() && cell.op() == Op.CLOSE) {
            wrong.add(row.left() + " sessions left, and events tell of " + failedEnds);
        }
    }

    private void write() throws IOException {
        List<String> lines = new ArrayList<>(List.of(
                "# What comes of every fault",
                "",
                rows.size() + " cells. Threads of closed clients left: "
                        + Threads.named("caracal-").size() + ". Requests that followed a redirect: "
                        + shared.elsewhere.seen().size() + ".",
                "",
                "| operation | fault | where | how often | the caller saw | attempts | sessions left | leases left |"
                        + " bearers twice | connections left | ms |",
                "|---|---|---|---|---|---|---|---|---|---|---|"));
        rows.stream()
                .sorted(Comparator.comparing((Row row) -> row.cell().op())
                        .thenComparing(row -> row.cell().fault())
                        .thenComparing(row -> row.cell().once()))
                .forEach(row -> lines.add("| %s | %s | %s | %s | %s | %d | %d | %d | %d | %d | %d |"
                        .formatted(
                                row.cell().op(),
                                row.cell().fault(),
                                row.cell().op().where,
                                row.cell().once() ? "once" : "always",
                                row.saw(),
                                row.attempts(),
                                row.left(),
                                row.services(),
                                row.twice(),
                                row.connections(),
                                row.millis())));
        Path target = Path.of("target");
        Files.createDirectories(target);
        Files.write(target.resolve("fault-matrix.md"), lines);
    }
}
