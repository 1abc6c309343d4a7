package run.caracal.redis;

import io.lettuce.core.Limit;
import io.lettuce.core.Range;
import io.lettuce.core.StreamMessage;
import io.lettuce.core.XReadArgs;
import io.lettuce.core.XReadArgs.StreamOffset;
import io.lettuce.core.cluster.api.reactive.RedisClusterReactiveCommands;
import java.time.Duration;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * Entries that one process reads for itself, starting as far back as they matter. It uses no consumer group, whose
 * acknowledgements would outlive the memory of the process.
 */
final class LogSource implements EntrySource {
    private final RedisClusterReactiveCommands<String, String> redis;
    private final String stream;
    private final Duration keepFor;
    private volatile @Nullable EntryId last;

    LogSource(RedisClusterReactiveCommands<String, String> redis, RevocationStream stream, Duration keepFor) {
        this.redis = redis;
        this.stream = stream.key();
        this.keepFor = keepFor;
    }

    /** Starts by the clock of the stream, and again if the stream was recreated. */
    @Override
    public Mono<Void> open() {
        return Flux.defer(() -> redis.xrevrange(stream, Range.unbounded(), Limit.from(1)))
                .next()
                .map(newest -> Optional.of(EntryId.of(newest.getId())))
                .defaultIfEmpty(Optional.empty())
                .doOnNext(newest -> {
                    EntryId reached = last;
                    if (reached == null || newest.isEmpty() || newest.get().compareTo(reached) < 0) {
                        last = newest.map(id -> id.before(keepFor)).orElse(EntryId.FIRST);
                    }
                })
                .then();
    }

    @Override
    @SuppressWarnings("unchecked") // the array of one stream that the varargs make
    public Flux<StreamMessage<String, String>> next() {
        return Flux.defer(
                () -> redis.xread(XReadArgs.Builder.count(BATCH), StreamOffset.from(stream, String.valueOf(last))));
    }

    @Override
    public Mono<Void> done(StreamMessage<String, String> entry) {
        return Mono.fromRunnable(() -> last = EntryId.of(entry.getId()));
    }

    /** No dead letters, because every reader would write one. */
    @Override
    public Mono<Void> bury(StreamMessage<String, String> entry, String reason) {
        return Mono.empty();
    }

    @Override
    public boolean skips() {
        return false;
    }

    @Override
    public long pending() {
        return 0;
    }
}
