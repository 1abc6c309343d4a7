package run.caracal.redis;

import io.lettuce.core.Consumer;
import io.lettuce.core.RedisBusyException;
import io.lettuce.core.StreamMessage;
import io.lettuce.core.XAddArgs;
import io.lettuce.core.XAutoClaimArgs;
import io.lettuce.core.XGroupCreateArgs;
import io.lettuce.core.XReadArgs;
import io.lettuce.core.XReadArgs.StreamOffset;
import io.lettuce.core.cluster.api.reactive.RedisClusterReactiveCommands;
import io.lettuce.core.models.stream.ClaimedMessages;
import io.lettuce.core.models.stream.PendingMessages;
import java.io.StringWriter;
import java.time.Duration;
import java.util.Map;
import java.util.TreeMap;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import tools.jackson.core.JsonGenerator;
import tools.jackson.core.ObjectWriteContext;
import tools.jackson.core.json.JsonFactory;

/**
 * Entries shared by the members of a consumer group. Unacknowledged entries come first: this consumer's own whenever
 * reading restarts, and those that another consumer has left idle.
 */
final class GroupSource implements EntrySource {
    /** The idle time after which another consumer's entry is taken over. */
    static final Duration IDLE = Duration.ofSeconds(30);

    /** The interval of looking for idle entries. */
    static final Duration CLAIM_INTERVAL = Duration.ofSeconds(5);

    private static final String FIRST = "0-0";
    private static final long MAX_DEAD_LETTERS = 10_000;

    /** The maximum size of a dead letter, because an entry may have any size. */
    private static final int MAX_PAYLOAD = 16_384;

    private static final JsonFactory JSON = new JsonFactory();

    private final RedisClusterReactiveCommands<String, String> redis;
    private final RevocationStream stream;
    private final Consumer<String> consumer;
    private final Duration idle;

    private volatile boolean recovering = true;
    private volatile long nextClaim;
    private volatile long pending;

    GroupSource(
            RedisClusterReactiveCommands<String, String> redis,
            RevocationStream stream,
            String consumer,
            Duration idle) {
        this.redis = redis;
        this.stream = stream;
        this.consumer = Consumer.from(stream.group(), consumer);
        this.idle = idle;
    }

    @Override
    public Mono<Void> open() {
        return Mono.defer(() -> {
                    recovering = true;
                    nextClaim = System.nanoTime();
                    return redis.xgroupCreate(
                            StreamOffset.from(stream.key(), "0"), stream.group(), XGroupCreateArgs.Builder.mkstream());
                })
                .onErrorComplete(e -> e instanceof RedisBusyException
                        && String.valueOf(e.getMessage()).startsWith("BUSYGROUP"))
                .then();
    }

    @Override
    public Flux<StreamMessage<String, String>> next() {
        return claimIfDue().thenMany(Flux.defer(() -> recovering ? own().concatWith(fresh()) : fresh()));
    }

    /** The unacknowledged entries of this consumer. */
    private Flux<StreamMessage<String, String>> own() {
        return read("0").switchIfEmpty(Flux.defer(() -> {
            recovering = false;
            return Flux.empty();
        }));
    }

    private Flux<StreamMessage<String, String>> fresh() {
        return read(">");
    }

    @SuppressWarnings("unchecked") // the array of one stream that the varargs make
    private Flux<StreamMessage<String, String>> read(String from) {
        return redis.xreadgroup(consumer, XReadArgs.Builder.count(BATCH), StreamOffset.from(stream.key(), from));
    }

    private Mono<Void> claimIfDue() {
        return Mono.defer(() -> {
            long now = System.nanoTime();
            if (now - nextClaim < 0) {
                return Mono.empty();
            }
            nextClaim = now + CLAIM_INTERVAL.toNanos();
            return claim(FIRST)
                    .expand(claimed -> claimed.getId().equals(FIRST) ? Mono.empty() : claim(claimed.getId()))
                    .filter(claimed -> !claimed.getMessages().isEmpty())
                    .doOnNext(claimed -> recovering = true)
                    .then(redis.xpending(stream.key(), stream.group()))
                    .map(PendingMessages::getCount)
                    .doOnNext(count -> pending = count)
                    .then();
        });
    }

    /** Takes over idle entries, which are then read as this consumer's own. */
    private Mono<ClaimedMessages<String, String>> claim(String from) {
        return redis.xautoclaim(
                stream.key(),
                new XAutoClaimArgs<String>()
                        .consumer(consumer)
                        .minIdleTime(idle)
                        .startId(from)
                        .count(BATCH)
                        .justid());
    }

    @Override
    public Mono<Void> done(StreamMessage<String, String> entry) {
        return Mono.defer(() -> redis.xack(stream.key(), stream.group(), entry.getId()))
                .then();
    }

    @Override
    public Mono<Void> bury(StreamMessage<String, String> entry, String reason) {
        return Mono.defer(() -> redis.xadd(
                        stream.deadLetters(),
                        XAddArgs.Builder.maxlen(MAX_DEAD_LETTERS).approximateTrimming(),
                        Map.of("source_id", entry.getId(), "reason", reason, "payload", json(entry.getBody()))))
                .then();
    }

    private static String json(Map<String, String> fields) {
        StringWriter text = new StringWriter();
        try (JsonGenerator json = JSON.createGenerator(ObjectWriteContext.empty(), text)) {
            json.writeStartObject();
            new TreeMap<>(fields).forEach(json::writeStringProperty);
            json.writeEndObject();
        }
        return text.getBuffer().length() <= MAX_PAYLOAD
                ? text.toString()
                : text.getBuffer().substring(0, MAX_PAYLOAD);
    }

    @Override
    public boolean skips() {
        return true;
    }

    @Override
    public long pending() {
        return pending;
    }
}
