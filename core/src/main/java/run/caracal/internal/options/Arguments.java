package run.caracal.internal.options;

import static run.caracal.internal.config.Rules.require;

import java.time.Clock;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Headers;
import run.caracal.internal.Ids;
import run.caracal.internal.config.Rules;
import run.caracal.internal.json.Json;
import run.caracal.internal.json.JsonException;
import run.caracal.internal.propagation.TraceParent;
import run.caracal.internal.wire.IdempotencyKeys;

/**
 * Checks the arguments of public methods. Each check gives the argument back, a list as a copy, or throws an {@link
 * IllegalArgumentException} that reads {@code <argument>: <what is wrong, and what is needed>}. No message holds a secret.
 */
public final class Arguments {
    /** The maximum size of the metadata, as JSON in UTF-8. */
    public static final int MAX_METADATA_BYTES = 64 * 1024;

    /** The remaining life of the authority that the Gateway requires for a call. */
    public static final Duration GATEWAY_RESERVE = Duration.ofSeconds(35);

    /** The shortest useful TTL of a delegation: the Gateway's reserve, and time for the calls. */
    public static final Duration MIN_DELEGATION_TTL = Duration.ofSeconds(40);

    /** The shortest useful TTL of a mandate: the Gateway rejects one with less than 35 seconds left. */
    public static final Duration MIN_MANDATE_TTL = Duration.ofSeconds(36);

    /** The longest TTL of a mandate. */
    public static final Duration MAX_MANDATE_TTL = Duration.ofSeconds(3600);

    private static final Duration MAX_INTERVAL = Duration.ofDays(1);

    private Arguments() {}

    /** The error of an argument. */
    public static IllegalArgumentException fault(String argument, String fault) {
        return new IllegalArgumentException(argument + ": " + fault);
    }

    /** An id of the platform; the message does not contain it. */
    public static String id(@Nullable String id, String argument) {
        return Ids.require(id, argument);
    }

    public static List<String> labels(List<String> labels) {
        require("labels", Rules.labels(labels));
        return List.copyOf(labels);
    }

    public static String resource(String id, String argument) {
        String fault = Rules.resourceId(id);
        require(argument, fault == null ? null : "a resource identifier " + fault);
        return id;
    }

    /** The scopes of a delegation, at least one. */
    public static List<String> scopes(List<String> scopes, String argument) {
        require(argument, scopes.isEmpty() ? "at least one scope is needed" : Rules.scopes(scopes));
        return List.copyOf(scopes);
    }

    /** The scopes of a call; none for those that are configured. */
    public static List<String> callScopes(List<String> scopes) {
        require("scopes", scopes.isEmpty() ? null : Rules.callScopes(scopes));
        return List.copyOf(scopes);
    }

    public static Duration ttl(Duration ttl, String argument) {
        String fault = Rules.ttl(ttl);
        require(argument, fault == null ? null : fault + ", not " + ttl);
        return ttl;
    }

    /** The TTL of a delegation; no call can use it once the Gateway rejects the mandates under it. */
    public static Duration delegationTtl(Duration ttl, String argument) {
        Duration whole = ttl(ttl, argument);
        require(
                argument,
                whole.compareTo(MIN_DELEGATION_TTL) < 0
                        ? "a delegation needs " + MIN_DELEGATION_TTL.toSeconds() + " seconds or more, not " + ttl
                                + ": the Gateway refuses a call when its authority has less than "
                                + GATEWAY_RESERVE.toSeconds() + " seconds left"
                        : null);
        return whole;
    }

    public static Duration mandateTtl(Duration ttl) {
        return mandateTtl(ttl, MIN_MANDATE_TTL, " (the Gateway refuses a mandate that is about to end)");
    }

    /** The TTL of a user's mandate, which makes no calls through the Gateway. */
    public static Duration subjectTtl(Duration ttl) {
        return mandateTtl(ttl, Rules.MIN_TTL, "");
    }

    private static Duration mandateTtl(Duration ttl, Duration min, String why) {
        if (!ttl.equals(ttl.truncatedTo(ChronoUnit.SECONDS))
                || ttl.compareTo(min) < 0
                || ttl.compareTo(MAX_MANDATE_TTL) > 0) {
            throw fault(
                    "ttl",
                    "must be whole seconds, from " + min.toSeconds() + why + " to " + MAX_MANDATE_TTL.toSeconds()
                            + ", not " + ttl);
        }
        return ttl;
    }

    /** A timeout. */
    public static Duration timeout(Duration timeout, String argument) {
        require(argument, Rules.timeout(timeout));
        return timeout;
    }

    /** The interval of renewals, at most a day; the lease limits it further in any case. */
    public static Duration interval(Duration interval, String argument) {
        require(
                argument,
                interval.isNegative() || interval.isZero() ? "a positive time is needed, not " + interval : null);
        return interval.compareTo(MAX_INTERVAL) > 0 ? MAX_INTERVAL : interval;
    }

    /** A whole number within limits. */
    public static int range(int value, int min, int max, String argument) {
        require(argument, value < min || value > max ? min + " to " + max + " is needed, not " + value : null);
        return value;
    }

    public static String idempotencyKey(String key) {
        return IdempotencyKeys.require("idempotencyKey", key);
    }

    public static String traceId(String traceId) {
        require(
                "traceId",
                TraceParent.isTraceId(traceId) ? null : "32 lower-case hexadecimal digits, not all zero, are needed");
        return traceId;
    }

    /** The id by which the audit log finds a call. */
    public static String requestId(String requestId) {
        require(
                "requestId",
                Headers.isRequestId(requestId)
                        ? null
                        : "must have 1 to 128 printable ASCII characters and no blank; leave it out for a fresh one");
        return requestId;
    }

    /** A user's identity token; the message does not contain it. */
    public static String idToken(String idToken) {
        require("idToken", Rules.idToken(idToken, Clock.systemUTC()));
        return idToken;
    }

    /** The metadata of a session, through JSON and back: a deep copy, which rejects values that cannot be sent. */
    public static Map<String, @Nullable Object> metadata(Map<String, ?> metadata) {
        byte[] json = Json.write("metadata", metadata);
        require(
                "metadata",
                json.length > MAX_METADATA_BYTES
                        ? json.length + " bytes as JSON, at most " + MAX_METADATA_BYTES + " allowed"
                        : null);
        try {
            Map<String, @Nullable Object> copy = new LinkedHashMap<>();
            if (Json.read(json) instanceof Map<?, ?> object) {
                object.forEach((name, value) -> copy.put((String) name, value));
            }
            return Collections.unmodifiableMap(copy);
        } catch (JsonException e) {
            throw new IllegalArgumentException("metadata: " + e.getMessage(), e);
        }
    }
}
