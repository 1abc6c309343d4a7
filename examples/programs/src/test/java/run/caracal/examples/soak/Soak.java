package run.caracal.examples.soak;

import static org.assertj.core.api.Assertions.assertThat;

import io.netty.util.internal.PlatformDependent;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import java.util.function.ToDoubleFunction;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import run.caracal.test.Hygiene;
import run.caracal.test.Threads;

/**
 * Mixed load for half an hour, half of it with faults: the resources in use at rest do not grow. Not a part of the
 * build: {@code mvn -q process-test-classes -Dsoak} runs it, {@code -Dsoak.minutes=} says how long, {@code -Dsoak.operations=}
 * how many operations a quarter of a second, {@code -Dsoak.seed=} which. The outcome is written to {@code target/soak.md}.
 */
@EnabledOnOs(OS.LINUX) // which lists connections
class Soak {
    private static final int MINUTES = Integer.getInteger("soak.minutes", 30);
    private static final long SEED = Long.getLong("soak.seed", 1);

    /** The first warms up; the last is compared with the second. */
    private static final int WINDOWS = 3;

    private static final double MOST_GROWTH = 1.05;

    /** Load, then quiet and a sample. Every second one has faults. */
    private static final Duration PHASE = Duration.ofSeconds(30);

    /** Longer than a phase with everything in it may take on a busy machine. */
    private static final Duration PHASE_LIMIT = Duration.ofMinutes(5);

    private static final Duration LOAD = Duration.ofSeconds(25);
    private static final Duration TICK = Duration.ofMillis(250);
    private static final int OPERATIONS_PER_TICK = Integer.getInteger("soak.operations", 5);
    private static final int TICKS_PER_CLIENT = 8;
    private static final int AT_ONCE = 32;

    /** The time limit until nothing is in flight any more. */
    private static final Duration QUIET = Duration.ofSeconds(60);

    private static final Duration GLANCE = Duration.ofMillis(20);

    /** The resources in use when nothing is in flight. */
    private record Sample(
            double heap, double direct, double threads, double connections, double sessions, double operations) {}

    private record Row(String what, ToDoubleFunction<Sample> value) {}

    private static final List<Row> ROWS = List.of(
            new Row("heap after collection, MiB", Sample::heap),
            new Row("direct memory, MiB", Sample::direct),
            new Row("threads", Sample::threads),
            new Row("connections", Sample::connections),
            new Row("sessions", Sample::sessions));

    private final List<Sample> samples = new ArrayList<>();
    private final Map<String, Integer> drops = new TreeMap<>();
    private final List<String> wrong = new ArrayList<>();
    private final AtomicInteger skipped = new AtomicInteger();
    private FaultyPlatform platform;
    private volatile Load load;

    @AfterEach
    void stop() {
        if (platform != null) {
            platform.close();
        }
    }

    @Test
    void whatIsInUseDoesNotGrow() throws IOException {
        int phases = Math.toIntExact(Duration.ofMinutes(MINUTES).dividedBy(PHASE));
        assertThat(phases % (2 * WINDOWS))
                .as("-Dsoak.minutes is no multiple of three")
                .isZero();
        long start = System.nanoTime();
        DisposableServer inbound = HttpServer.create()
                .host("127.0.0.1")
                .port(0)
                // One task later, as the local platform answers: Reactor Netty's issue 4361.
                .handle((request, response) -> Mono.from(load.inbound().apply(request, response))
                        .subscribeOn(Schedulers.fromExecutor(task -> request.withConnection(
                                connection -> connection.channel().eventLoop().execute(task)))))
                .bindNow();
        String inboundUrl = "http://127.0.0.1:" + inbound.port();
        platform = FaultyPlatform.start(SEED, inboundUrl);
        load = new Load(platform, inboundUrl);
        int held = load.hold();
        for (int phase = 0; phase < phases; phase++) {
            boolean faults = phase % 2 == 1;
            platform.faults(faults);
            // Each window does the same.
            run(new Random(SEED + phase % (phases / WINDOWS)), faults ? "faults" : Load.CALM);
            platform.faults(false);
            load.crowd().block(PHASE_LIMIT);
            until(() -> platform.counts().get("sessions") <= held);
            samples.add(sample());
            Sample sample = samples.get(phase);
            Duration passed = Duration.ofNanos(System.nanoTime() - start);
            System.out.printf(
                    Locale.ROOT,
                    "%4d s, %4d s left, %-6s heap %.1f MiB, direct %.1f MiB, %.0f threads, %.0f connections, "
                            + "%.0f sessions%n",
                    passed.toSeconds(),
                    passed.dividedBy(phase + 1L)
                            .multipliedBy(phases - phase - 1L)
                            .toSeconds(),
                    faults ? "faults" : Load.CALM,
                    sample.heap(),
                    sample.direct(),
                    sample.threads(),
                    sample.connections(),
                    sample.sessions());
        }
        check("a service that is held has lost its lease", load.isHeld());
        load.end().block(QUIET.plus(QUIET));
        inbound.disposeNow();
        checkTheEnd();
        write(Duration.ofNanos(System.nanoTime() - start));
        assertThat(wrong).isEmpty();
    }

    /** As many operations in each phase, unless the machine is too busy for them. */
    private void run(Random random, String phase) {
        Flux.interval(TICK)
                .onBackpressureDrop(tick -> skipped.incrementAndGet())
                .take(LOAD)
                .concatMapIterable(tick -> operations(random, phase, tick), 1)
                .flatMap(operation -> operation, AT_ONCE)
                .then()
                .block(PHASE_LIMIT);
    }

    private List<Mono<Void>> operations(Random random, String phase, long tick) {
        List<Mono<Void>> operations = new ArrayList<>();
        for (int i = 0; i < OPERATIONS_PER_TICK; i++) {
            operations.add(load.operation(random, phase));
        }
        if (tick % TICKS_PER_CLIENT == 0) {
            operations.add(load.client(random, phase));
        }
        return operations;
    }

    private Sample sample() {
        for (Hygiene.Drop drop : Hygiene.takeDrops()) {
            drops.merge(drop.by() + " dropped " + drop.error(), 1, Integer::sum);
            if (!isOfACancel(drop)) {
                check("an error was dropped", false);
                drop.error().printStackTrace(System.out);
            }
        }
        return new Sample(
                mebibytes(heap()),
                mebibytes(direct()),
                ManagementFactory.getThreadMXBean().getThreadCount(),
                connections(platform.ports()),
                platform.counts().get("sessions"),
                load.count("operations"));
    }

    /**
     * Spring refuses the body of an answer when the cancel comes between the two, and Reactor Netty refuses it once more.
     */
    private static boolean isOfACancel(Hygiene.Drop drop) {
        String message = String.valueOf(drop.error().getMessage());
        return (message.startsWith("Rejecting additional inbound receiver") && message.contains("cancelled=true"))
                || Stream.of(drop.error().getStackTrace())
                        .limit(2)
                        .anyMatch(
                                frame -> frame.getClassName().startsWith("org.springframework.http.client.reactive."));
    }

    private static double mebibytes(long bytes) {
        return bytes / 1024.0 / 1024.0;
    }

    private static long heap() {
        long used = Long.MAX_VALUE;
        for (int i = 0; i < 3; i++) {
            System.gc();
            used = Math.min(
                    used,
                    ManagementFactory.getMemoryMXBean().getHeapMemoryUsage().getUsed());
        }
        return used;
    }

    /** Netty's own, and that of the JVM. */
    private static long direct() {
        long pools = ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
                .filter(pool -> pool.getName().equals("direct"))
                .mapToLong(BufferPoolMXBean::getMemoryUsed)
                .sum();
        return pools + Math.max(0, PlatformDependent.usedDirectMemory());
    }

    /** The sockets of any state that a process still holds and that lead to these ports. */
    private static int connections(Set<Integer> ports) {
        return (int) Stream.of("tcp", "tcp6")
                .flatMap(family -> lines(Path.of("/proc/self/net", family)))
                .map(line -> line.strip().split("\\s+"))
                .filter(fields -> !fields[9].equals("0"))
                .filter(fields -> ports.contains(Integer.valueOf(fields[2].substring(fields[2].indexOf(':') + 1), 16)))
                .count();
    }

    /** Without the headline. */
    private static Stream<String> lines(Path file) {
        try {
            return Files.readAllLines(file).stream().skip(1);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** Returns when the condition holds, or after a generous time limit: the caller checks it again. */
    private static void until(BooleanSupplier holds) {
        long end = System.nanoTime() + QUIET.toNanos();
        while (!holds.getAsBoolean() && System.nanoTime() < end) {
            Mono.delay(GLANCE).then().block();
        }
    }

    private void checkTheEnd() {
        until(() -> platform.counts().get("sessions") == 0
                && Threads.named("caracal-").size() == 0
                && connections(platform.ports()) == 0);
        Map<String, Long> seen = platform.counts();
        check("sessions are left", seen.get("sessions") == 0);
        check("threads are left", Threads.named("caracal-").size() == 0);
        check("connections are left", connections(platform.ports()) == 0);
        check("a bearer came twice", seen.get("repeated") == 0);
        check("not every session that was opened was closed", load.count("opened") == load.count("closed"));
        check("a session could not be closed", load.count("closed in vain") == 0);
        // A request that was cancelled may not have left.
        check(
                "requests arrived that no event speaks of",
                seen.get("STS") + seen.get("COORDINATOR") <= load.count("accounted"));
        check("no mandate was proven", load.count("inbound.proven") > 0);
        check("a caller was not proven", load.count("inbound.somebody") == 0);
        load.counts().keySet().forEach(name -> {
            // A busy machine may be late at any time.
            check(name, !name.startsWith("error." + Load.CALM) || name.matches(".*(?i:timeout|transport_connect)"));
            check(name + ", without a takeover", !name.startsWith("lost.") || name.equals("lost.FENCED"));
        });
    }

    private void write(Duration took) throws IOException {
        int size = samples.size() / WINDOWS;
        List<String> lines = new ArrayList<>(List.of(
                "# What is in use after " + took.toMinutes() + " minutes of work",
                "",
                "Means of " + size
                        + " samples for each third of the time, taken when nothing was under way; before every"
                        + " second one there were faults.",
                "",
                "| | first | second | last | last / second | at most " + MOST_GROWTH + " |",
                "|---|---|---|---|---|---|"));
        for (Row row : ROWS) {
            double[] means = new double[WINDOWS];
            for (int i = 0; i < WINDOWS; i++) {
                means[i] = samples.subList(i * size, (i + 1) * size).stream()
                        .mapToDouble(row.value())
                        .average()
                        .orElseThrow();
            }
            double growth = means[2] / means[1];
            boolean holds = growth <= MOST_GROWTH;
            check(row.what() + " grew", holds);
            lines.add(String.format(
                    Locale.ROOT,
                    "| %s | %.1f | %.1f | %.1f | %.3f | %s |",
                    row.what(),
                    means[0],
                    means[1],
                    means[2],
                    growth,
                    holds ? "yes" : "**no**"));
        }
        lines.add("");
        for (int i = 0; i < WINDOWS; i++) {
            double before = i == 0 ? 0 : samples.get(i * size - 1).operations();
            lines.add("Operations in third %d: %.0f."
                    .formatted(i + 1, samples.get((i + 1) * size - 1).operations() - before));
        }
        lines.addAll(List.of("", "| at the platform | |", "|---|---|"));
        platform.counts().forEach((name, count) -> lines.add("| " + name + " | " + count + " |"));
        lines.addAll(List.of("", "| at the client | |", "|---|---|"));
        load.counts().forEach((name, count) -> lines.add("| " + name + " | " + count + " |"));
        drops.forEach((drop, count) -> lines.add("| " + drop + " | " + count + " |"));
        lines.addAll(List.of(
                "",
                "Wrong: " + (wrong.isEmpty() ? "nothing" : String.join("; ", wrong)) + ".",
                "",
                "Seed %d, %d ticks skipped; %d processors, %s %s, JDK %s, heap of %d MiB at most."
                        .formatted(
                                SEED,
                                skipped.get(),
                                Runtime.getRuntime().availableProcessors(),
                                System.getProperty("os.name"),
                                System.getProperty("os.arch"),
                                System.getProperty("java.version"),
                                Runtime.getRuntime().maxMemory() >> 20)));
        Path target = Path.of("target");
        Files.createDirectories(target);
        Files.write(target.resolve("soak.md"), lines);
    }

    private void check(String what, boolean holds) {
        if (!holds && !wrong.contains(what)) {
            wrong.add(what);
        }
    }
}
