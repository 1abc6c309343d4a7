package run.caracal.bench;

import java.time.Duration;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;
import run.caracal.test.Progress;

/** Ten thousand spawns that all find an empty token cache. */
final class StampedeBench {
    private static final int SPAWNS = 10_000;

    /** Long enough that all of them wait for the one exchange. */
    private static final Duration EXCHANGE = Duration.ofMillis(500);

    private StampedeBench() {}

    static void run(Report report, int rounds) {
        double[] exchanges = new double[rounds];
        double[] sessions = new double[rounds];
        double[] millis = new double[rounds];
        Progress progress = new Progress("stampedes", rounds);
        for (int round = 0; round < rounds; round++) {
            InMemory platform = new InMemory(90, EXCHANGE);
            Caracal caracal = platform.client();
            long start = System.nanoTime();
            var unused = Flux.range(0, SPAWNS)
                    .flatMap(i -> caracal.spawn(context -> Mono.just(i)), SPAWNS)
                    .blockLast(Duration.ofMinutes(1));
            millis[round] = (System.nanoTime() - start) / 1e6;
            exchanges[round] = platform.canned.exchanges.sum();
            sessions[round] = platform.canned.opened.sum();
            caracal.disposeLater().block(Duration.ofSeconds(30));
            progress.step();
        }
        Stat most = Stat.of(exchanges);
        report.value(
                SPAWNS + " concurrent spawns, STS exchanges",
                Stat.number(most.median()) + " (most: "
                        + Stat.number(java.util.Arrays.stream(exchanges).max().orElse(0)) + ")",
                "1",
                java.util.Arrays.stream(exchanges).allMatch(count -> count == 1) ? "yes" : "**no**",
                Stat.number(Stat.of(sessions).median()) + " sessions in "
                        + Stat.of(millis).text() + " ms, of which the exchange takes " + EXCHANGE.toMillis());
        report.write();
    }
}
