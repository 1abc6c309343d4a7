package run.caracal.internal.wire;

import java.time.Duration;
import java.time.Instant;
import org.jspecify.annotations.Nullable;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.JsonException;
import run.caracal.internal.json.JsonObject;

/**
 * A lease as the Coordinator reports it.
 *
 * @param generation its generation, or {@code null} when none was given (0, which tasks get, is none)
 * @param deadline when it ends, by the Coordinator's clock, or {@code null}
 * @param length how long it was at the Coordinator when it answered, rounded against the holder; {@code null} when the
 *     answer does not say. Counted from the instant the request was sent it needs no clock of this machine
 */
public record LeaseTerms(
        @Nullable Long generation,
        @Nullable Instant deadline,
        @Nullable Duration length) {

    static final LeaseTerms NONE = new LeaseTerms(null, null, null);

    static LeaseTerms read(JsonObject fields, HttpResponse response) throws JsonException {
        Long generation = fields.integer("lease_generation");
        if (generation != null && generation < 0) {
            throw new JsonException("its lease_generation is negative");
        }
        Instant deadline = fields.instant("heartbeat_deadline_at");
        return new LeaseTerms(
                generation == null || generation == 0 ? null : generation,
                deadline,
                length(
                        deadline,
                        fields.instant("last_heartbeat_at"),
                        response.header("Date").orElse(null)));
    }

    private static @Nullable Duration length(
            @Nullable Instant deadline, @Nullable Instant lastHeartbeat, @Nullable String answered) {
        if (deadline == null) {
            return null;
        }
        Duration length;
        if (lastHeartbeat != null) {
            length = Duration.between(lastHeartbeat, deadline);
        } else {
            Instant date = HttpDates.parse(answered);
            if (date == null) {
                return null;
            }
            // The header has whole seconds: up to one of them may have passed already.
            length = Duration.between(date, deadline).minusSeconds(1);
        }
        return length.isNegative() ? Duration.ZERO : length;
    }
}
