package run.caracal.bench;

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.config.ResourceBinding;
import run.caracal.http.OutboundPolicy;
import run.caracal.internal.propagation.Envelope;

/** The same operation at growing sizes: linear at the worst, constant where it is a lookup. */
final class GrowthBench {
    private static final int REPEATS = 20_000;
    private static volatile @Nullable Object result;

    private GrowthBench() {}

    static void run(Report report, int rounds) {
        Chart.Lines time =
                new Chart.Lines("Time of one operation", "bindings, baggage characters, levels, sessions", "ns");
        Chart.Lines bytes = new Chart.Lines(
                "Allocation of one operation", "bindings, baggage characters, levels, sessions", "bytes");
        bindings(time, bytes, rounds);
        baggage(time, bytes, rounds);
        nesting(time, bytes, rounds);
        sessions(time, bytes, rounds);
        grows(report, time, bytes, "a request, by bindings", 1, 10_000, 2.0);
        grows(report, time, bytes, "decode and encode, by baggage", 512, 8_000, 8_000 / 512.0);
        grows(report, time, bytes, "nested spawns, by levels", 1, 10, 10);
        grows(report, time, bytes, "a request, by open sessions", 1, 50_000, 2.0);
        grows(report, time, bytes, "spawn and terminate, by open sessions", 1, 50_000, 2.0);
        report.chart(time);
        report.chart(bytes);
        report.write();
    }

    /** The growth from a small to a large case, against its limit. */
    private static void grows(
            Report report, Chart.Lines time, Chart.Lines bytes, String line, int small, int large, double most) {
        double slower = time.value(line, large) / time.value(line, small);
        double more = bytes.value(line, large) / bytes.value(line, small);
        report.value(
                line + ": " + small + " to " + large,
                Stat.number(slower) + " times the time, " + Stat.number(more) + " times the allocation",
                "at most " + Stat.number(most) + " times each",
                Math.max(slower, more) <= most
                        ? "yes"
                        : Math.max(slower, more) <= most * 1.1 ? "within a tenth" : "**no**",
                "");
    }

    private static void measure(
            Chart.Lines time,
            Chart.Lines bytes,
            String line,
            int rounds,
            List<Integer> sizes,
            List<Supplier<?>> operations) {
        measure(time, bytes, line, rounds, REPEATS, sizes, operations);
    }

    private static void measure(
            Chart.Lines time,
            Chart.Lines bytes,
            String line,
            int rounds,
            int repeats,
            List<Integer> sizes,
            List<Supplier<?>> operations) {
        Rounds measured = new Rounds();
        for (int i = 0; i < sizes.size(); i++) {
            Supplier<?> operation = operations.get(i);
            measured = measured.variant(String.valueOf(sizes.get(i)), () -> {
                for (int n = 0; n < repeats; n++) {
                    result = operation.get();
                }
                return Rounds.Cost.of(repeats);
            });
        }
        measured = measured.run(5, rounds);
        for (int size : sizes) {
            time.point(line, size, measured.nanos(String.valueOf(size)).median());
            bytes.point(line, size, measured.bytes(String.valueOf(size)).median());
        }
    }

    private static Supplier<?> request(Caracal caracal, CaracalContext session) {
        OutboundPolicy policy = caracal.outbound();
        Context context = InMemory.context(caracal, session);
        return () -> {
            Carrier sent = new Carrier();
            Objects.requireNonNull(
                            policy.resolve(PathBenchmark.URL, null, context).block())
                    .edit(sent);
            return sent;
        };
    }

    private static void bindings(Chart.Lines time, Chart.Lines bytes, int rounds) {
        List<Integer> sizes = List.of(1, 10, 100, 1_000, 10_000);
        List<Supplier<?>> operations = new ArrayList<>();
        for (int size : sizes) {
            List<ResourceBinding> bindings = new ArrayList<>();
            // All on the origin that is called, which is the harder case.
            for (int i = 1; i < size; i++) {
                bindings.add(new ResourceBinding("resource://api-" + i, Canned.UPSTREAM + "/api-" + i));
            }
            bindings.add(new ResourceBinding(Canned.RESOURCE, Canned.UPSTREAM + "/v1"));
            Caracal caracal = new InMemory(90, Duration.ZERO).client(bindings);
            operations.add(request(caracal, InMemory.openSession(caracal)));
        }
        measure(time, bytes, "a request, by bindings", rounds, sizes, operations);
    }

    private static void baggage(Chart.Lines time, Chart.Lines bytes, int rounds) {
        List<Integer> sizes = List.of(0, 128, 512, 2_000, 4_000, 8_000);
        List<Supplier<?>> operations = new ArrayList<>();
        for (int size : sizes) {
            Carrier received = new Carrier();
            received.set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
            StringBuilder baggage = new StringBuilder();
            for (int i = 0; baggage.length() < size; i++) {
                baggage.append(i == 0 ? "" : ",")
                        .append("key-")
                        .append(i)
                        .append('=')
                        .append("v".repeat(120));
            }
            if (size > 0) {
                received.set("baggage", baggage.substring(0, size));
            }
            Carrier ready = received.received();
            operations.add(() -> {
                Carrier sent = new Carrier();
                Envelope.decode(ready::getAll).encode(sent);
                return sent;
            });
        }
        measure(time, bytes, "decode and encode, by baggage", rounds, sizes, operations);
    }

    private static void nesting(Chart.Lines time, Chart.Lines bytes, int rounds) {
        List<Integer> sizes = List.of(1, 2, 3, 5, 8, 10);
        List<Supplier<?>> operations = new ArrayList<>();
        Caracal caracal = new InMemory(90, Duration.ZERO).client();
        for (int size : sizes) {
            operations.add(() -> nested(caracal, size).block());
        }
        measure(time, bytes, "nested spawns, by levels", rounds, 500, sizes, operations);
    }

    private static Mono<Integer> nested(Caracal caracal, int levels) {
        return levels == 0 ? Mono.just(0) : caracal.spawn(context -> nested(caracal, levels - 1));
    }

    private static void sessions(Chart.Lines time, Chart.Lines bytes, int rounds) {
        List<Integer> sizes = List.of(1, 10, 100, 1_000, 10_000, 50_000);
        List<Supplier<?>> requests = new ArrayList<>();
        List<Supplier<?>> spawns = new ArrayList<>();
        for (int size : sizes) {
            Caracal caracal = new InMemory(90, Duration.ZERO).client();
            AtomicInteger next = new AtomicInteger();
            List<CaracalContext> open = new ArrayList<>();
            for (int i = 0; i < size; i++) {
                open.add(InMemory.openSession(caracal));
            }
            List<Supplier<?>> each = open.stream()
                    .limit(1_000)
                    .<Supplier<?>>map(session -> request(caracal, session))
                    .toList();
            requests.add(() -> each.get(next.getAndIncrement() % each.size()).get());
            spawns.add(() -> caracal.spawn(context -> Mono.just(1)).block());
        }
        measure(time, bytes, "a request, by open sessions", rounds, sizes, requests);
        measure(time, bytes, "spawn and terminate, by open sessions", rounds, 2_000, sizes, spawns);
    }
}
