package run.caracal.bench;

import java.time.Duration;
import java.util.Arrays;
import java.util.function.Supplier;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;
import reactor.util.context.ContextView;

/** Concurrent lanes of sequential operations, and the time of each operation. */
final class Lanes {
    private Lanes() {}

    static Rounds.Cost run(int lanes, int operations, Supplier<? extends Mono<?>> operation) {
        return run(lanes, operations, Context.empty(), operation);
    }

    static Rounds.Cost run(int lanes, int operations, ContextView context, Supplier<? extends Mono<?>> operation) {
        long[] nanos = new long[operations];
        var unused = Flux.range(0, operations)
                .flatMap(
                        i -> Mono.defer(() -> {
                            long start = System.nanoTime();
                            return operation.get().doOnSuccess(result -> nanos[i] = System.nanoTime() - start);
                        }),
                        lanes)
                .contextWrite(context)
                .blockLast(Duration.ofMinutes(5));
        Arrays.sort(nanos);
        return new Rounds.Cost(operations, nanos[operations / 2], nanos[(int) (operations * 0.99)]);
    }
}
