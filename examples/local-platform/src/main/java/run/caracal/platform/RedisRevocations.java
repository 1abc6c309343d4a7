package run.caracal.platform;

import io.lettuce.core.RedisClient;
import io.lettuce.core.api.StatefulRedisConnection;
import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.HexFormat;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ArrayBlockingQueue;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;

/** Adds signed revocations to the streams of a Redis, one after another. */
final class RedisRevocations implements Revocations {
    private static final Logger log = LoggerFactory.getLogger(RedisRevocations.class);
    private static final String ALGORITHM = "HmacSHA256";
    private static final int WAITING = 10_000;
    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(2);

    private final String zoneId;
    private final SecretKeySpec key;
    private final RedisClient client;
    private final Sinks.Many<Entry> entries =
            Sinks.many().unicast().onBackpressureBuffer(new ArrayBlockingQueue<>(WAITING));
    private final Sinks.Empty<Void> told = Sinks.empty();
    private final Disposable telling;

    private record Entry(String stream, Map<String, String> fields) {}

    /** Connects. Blocks. */
    RedisRevocations(String zoneId, String redisUri, String hmacKeyHex) {
        this.zoneId = zoneId;
        this.key = new SecretKeySpec(HexFormat.of().parseHex(hmacKeyHex), ALGORITHM);
        this.client = RedisClient.create(redisUri);
        StatefulRedisConnection<String, String> connection = client.connect();
        this.telling = entries.asFlux()
                .concatMap(entry -> connection
                        .reactive()
                        .xadd(entry.stream(), entry.fields())
                        .onErrorResume(e -> {
                            log.warn("A revocation did not reach {}: {}", entry.stream(), e.toString());
                            return Mono.empty();
                        }))
                .doFinally(signal -> {
                    var unused = told.tryEmitEmpty();
                })
                .subscribe();
    }

    @Override
    public void revoked(String reason, Map<String, String> anchors) {
        SortedMap<String, String> fields = new TreeMap<>(anchors);
        fields.put("reason", reason);
        tell("caracal.sessions.revoke", fields);
    }

    @Override
    public void epochReached(String event, String edgeId, long epoch) {
        tell(
                "caracal.delegations.invalidate",
                new TreeMap<>(Map.of("event", event, "edge_id", edgeId, "epoch", Long.toString(epoch))));
    }

    private synchronized void tell(String stream, SortedMap<String, String> fields) {
        fields.put("zone_id", zoneId);
        fields.put("outbox_id", Ids.random());
        fields.put("_sig", signature(stream, fields));
        if (entries.tryEmitNext(new Entry(stream, fields)).isFailure()) {
            log.warn("A revocation was not added to {}: {} wait already, or the platform is closed", stream, WAITING);
        }
    }

    private String signature(String stream, SortedMap<String, String> fields) {
        StringBuilder text = new StringBuilder(stream + "\n");
        fields.forEach((name, value) -> text.append(name + "=" + value + "\n"));
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            return HexFormat.of().formatHex(mac.doFinal(text.toString().getBytes(StandardCharsets.UTF_8)));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public Mono<Void> close() {
        return Mono.defer(() -> {
                    synchronized (this) {
                        var unused = entries.tryEmitComplete();
                    }
                    return told.asMono();
                })
                .timeout(CLOSE_TIMEOUT, Mono.fromRunnable(telling::dispose))
                .then(Mono.fromFuture(() -> client.shutdownAsync().toCompletableFuture()));
    }
}
