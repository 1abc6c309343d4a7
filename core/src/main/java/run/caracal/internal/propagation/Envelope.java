package run.caracal.internal.propagation;

import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import run.caracal.http.OutboundHeaders;
import run.caracal.internal.Headers;
import run.caracal.internal.text.Chars;

/**
 * The context that one call carries to the next: its bearer, the ids of its session and delegation, its trace and the
 * baggage of others. Immutable. Nothing in it is proven: baggage is unsigned.
 *
 * <p>Build it once for a context and encode it for every request: the baggage is encoded on first use and kept.
 */
public final class Envelope {
    /** Delegations nest no deeper; a larger hop is read and written as this. */
    public static final int MAX_HOP = 10;

    /** The envelope of a call that carries nothing. */
    public static final Envelope EMPTY = builder().build();

    private static final String AUTHORIZATION = "authorization";
    private static final String BAGGAGE = "baggage";
    private static final String BEARER = "bearer";
    private static final int MAX_TRACE_STATE = 8192;
    // W3C allows 32 members; further lines can only be empty.
    private static final int MAX_TRACE_STATE_LINES = 64;
    // The platform refuses bearers over 4096 bytes; this only bounds what an absurd header may cost.
    private static final int MAX_AUTHORIZATION = 65536;

    private final @Nullable String bearer;
    private final @Nullable String agentSessionId;
    private final @Nullable String delegationEdgeId;
    private final @Nullable String parentEdgeId;
    private final @Nullable String authorityRecordId;
    private final @Nullable String traceId;
    private final @Nullable String traceFlags;
    private final @Nullable String traceState;
    private final Map<String, String> extraBaggage;
    private final int hop;

    // Encoded on first use. A race computes the same text twice, which is cheaper than a lock on every request.
    private @Nullable String encodedBaggage;

    private Envelope(Builder builder, @Nullable Map<String, String> extra) {
        bearer = builder.bearer;
        agentSessionId = builder.agentSessionId;
        delegationEdgeId = builder.delegationEdgeId;
        parentEdgeId = builder.parentEdgeId;
        authorityRecordId = builder.authorityRecordId;
        traceId = builder.traceId;
        traceFlags = builder.traceFlags;
        traceState = builder.traceState;
        extraBaggage = extra == null ? Map.of() : Collections.unmodifiableMap(extra);
        hop = builder.hop;
    }

    public static Builder builder() {
        return new Builder();
    }

    public Builder toBuilder() {
        Builder builder = new Builder();
        builder.bearer = bearer;
        builder.agentSessionId = agentSessionId;
        builder.delegationEdgeId = delegationEdgeId;
        builder.parentEdgeId = parentEdgeId;
        builder.authorityRecordId = authorityRecordId;
        builder.traceId = traceId;
        builder.traceFlags = traceFlags;
        builder.traceState = traceState;
        builder.hop = hop;
        return builder.extraBaggage(extraBaggage);
    }

    /** Only the trace and the foreign baggage, for requests without identity. */
    public Envelope traceOnly() {
        return EMPTY.inTraceOf(this);
    }

    /** The ids of this envelope in the trace of another, with the baggage of others that the other one has. */
    public Envelope inTraceOf(Envelope other) {
        Builder builder = other.toBuilder();
        builder.bearer = bearer;
        builder.agentSessionId = agentSessionId;
        builder.delegationEdgeId = delegationEdgeId;
        builder.parentEdgeId = parentEdgeId;
        builder.authorityRecordId = authorityRecordId;
        builder.hop = hop;
        return builder.build();
    }

    /**
     * Reads the headers of an incoming request. Malformed or oversized fields count as absent.
     *
     * @param headers gives all values of a header by its lower-case name, in order; empty when it is absent
     * @return the envelope, {@link #EMPTY}-like when there is none; never fails
     */
    public static Envelope decode(Function<String, List<String>> headers) {
        Builder builder = new Builder();
        List<String> authorization = headers.apply(AUTHORIZATION);
        if (!authorization.isEmpty()) {
            builder.bearer = bearer(authorization.get(0));
        }
        List<String> traceparent = headers.apply(Headers.TRACEPARENT);
        if (!traceparent.isEmpty()) {
            TraceParent trace = TraceParent.parse(traceparent.get(0));
            if (trace != null) {
                builder.traceId = trace.traceId();
                builder.traceFlags = trace.flags();
            }
        }
        builder.traceState = traceState(headers.apply(Headers.TRACESTATE));
        List<String> baggage = headers.apply(BAGGAGE);
        if (!baggage.isEmpty()) {
            // Over the limits the parser tells before the first member is heard.
            boolean unused = Baggage.parse(baggage, builder::member);
        }
        return new Envelope(builder, builder.extraBaggage);
    }

    /** The token of an Authorization header, {@code null} for another scheme or what is no token. */
    private static @Nullable String bearer(String header) {
        if (header.length() > MAX_AUTHORIZATION) {
            return null;
        }
        int start = Chars.skipBlanks(header, 0, header.length());
        int end = Chars.trimEnd(header, start, header.length());
        int separator = start + BEARER.length();
        if (separator >= end
                || header.charAt(separator) != ' '
                || !header.regionMatches(true, start, BEARER, 0, BEARER.length())) {
            return null;
        }
        int token = separator;
        // Ends before the end, where there is no blank.
        while (header.charAt(token) == ' ') {
            token++;
        }
        String bearer = header.substring(token, end);
        return Chars.hasBlankOrControl(bearer) ? null : bearer;
    }

    /** The lines joined, as W3C asks; {@code null} when nothing is left or it could not be sent on. */
    private static @Nullable String traceState(List<String> lines) {
        if (lines.size() > MAX_TRACE_STATE_LINES) {
            return null;
        }
        String joined = null;
        for (int i = 0; i < lines.size(); i++) {
            String line = lines.get(i);
            if (line.length() > MAX_TRACE_STATE) {
                return null;
            }
            int start = Chars.skipBlanks(line, 0, line.length());
            int end = Chars.trimEnd(line, start, line.length());
            if (start < end) {
                String trimmed = line.substring(start, end);
                joined = joined == null ? trimmed : joined + "," + trimmed;
                if (joined.length() > MAX_TRACE_STATE || Chars.hasControl(trimmed)) {
                    return null;
                }
            }
        }
        return joined;
    }

    /**
     * Writes trace context and baggage onto a request that is about to leave, next to what its caller has set: a valid
     * traceparent and any tracestate stay, other members of the baggage stay, the own five members are those of this
     * envelope. Applying it twice changes nothing but an invalid traceparent. Never touches Authorization.
     */
    public void encode(OutboundHeaders headers) {
        encodeTraceParent(headers);
        if (traceState != null && isAbsent(headers.getAll(Headers.TRACESTATE))) {
            headers.set(Headers.TRACESTATE, traceState);
        }
        encodeBaggage(headers);
    }

    private void encodeTraceParent(OutboundHeaders headers) {
        List<String> existing = headers.getAll(Headers.TRACEPARENT);
        if (existing.isEmpty() || !TraceParent.isValid(existing.get(0))) {
            headers.set(Headers.TRACEPARENT, TraceParent.write(traceId, traceFlags));
        } else if (existing.size() > 1) {
            // Receivers reject two, so the one that a reader takes stays.
            headers.set(Headers.TRACEPARENT, existing.get(0));
        }
    }

    private static boolean isAbsent(List<String> values) {
        for (int i = 0; i < values.size(); i++) {
            if (!values.get(i).isEmpty()) {
                return false;
            }
        }
        return true;
    }

    private void encodeBaggage(OutboundHeaders headers) {
        List<String> existing = headers.getAll(BAGGAGE);
        if (isAbsent(existing)) {
            String baggage = encodedBaggage();
            if (!baggage.isEmpty()) {
                headers.set(BAGGAGE, baggage);
            }
            return;
        }
        Merge merge = new Merge(extraBaggage);
        boolean withinLimits = Baggage.parse(existing, merge);
        String baggage = merge(merge.thirdParty);
        if (!baggage.isEmpty()) {
            headers.set(BAGGAGE, baggage);
        } else if (merge.spoofed || !withinLimits) {
            // Nothing of ours replaces what was there, but what claims to be ours must not leave.
            headers.remove(BAGGAGE);
        }
    }

    /** The foreign members of the caller's header. */
    private static final class Merge implements Baggage.Sink {
        final TreeMap<String, String> thirdParty;
        boolean spoofed;

        Merge(Map<String, String> extraBaggage) {
            thirdParty = new TreeMap<>(extraBaggage);
        }

        @Override
        public void member(String key, String value) {
            if (Baggage.isOwnKey(key)) {
                spoofed = true;
            } else {
                thirdParty.put(key, value);
            }
        }
    }

    /** The baggage of a request without other baggage; encoded once. */
    private String encodedBaggage() {
        String encoded = encodedBaggage;
        if (encoded == null) {
            encoded = merge(new TreeMap<>(extraBaggage));
            encodedBaggage = encoded;
        }
        return encoded;
    }

    /** The own members, and as many of the others as the limits leave room for, sorted by key. */
    private String merge(SortedMap<String, String> thirdParty) {
        TreeMap<String, String> encoded = new TreeMap<>();
        put(encoded, Baggage.AGENT_SESSION, agentSessionId);
        put(encoded, Baggage.DELEGATION_EDGE, delegationEdgeId);
        put(encoded, Baggage.PARENT_EDGE, parentEdgeId);
        put(encoded, Baggage.SESSION, authorityRecordId);
        if (hop > 0 || !encoded.isEmpty()) {
            put(encoded, Baggage.HOP, Integer.toString(hop));
        }
        int characters = 0;
        for (String member : encoded.values()) {
            characters += member.length() + 1;
        }
        for (Map.Entry<String, String> entry : thirdParty.entrySet()) {
            String key = entry.getKey();
            String value = entry.getValue();
            if (value.isEmpty() || !Baggage.isToken(key)) {
                continue;
            }
            String member = Baggage.encodeMember(key, value);
            // The last member has no comma after it.
            if (encoded.size() < Baggage.MAX_MEMBERS && characters + member.length() <= Baggage.MAX_CHARACTERS) {
                encoded.put(key, member);
                characters += member.length() + 1;
            }
        }
        return String.join(",", encoded.values());
    }

    private static void put(Map<String, String> encoded, String key, @Nullable String value) {
        if (value != null) {
            encoded.put(key, Baggage.encodeMember(key, value));
        }
    }

    /** The token of the Authorization header; read only, never written. */
    public @Nullable String bearer() {
        return bearer;
    }

    /** {@code caracal.agent_session}. */
    public @Nullable String agentSessionId() {
        return agentSessionId;
    }

    /** {@code caracal.delegation_edge}. */
    public @Nullable String delegationEdgeId() {
        return delegationEdgeId;
    }

    /** {@code caracal.parent_edge}. */
    public @Nullable String parentEdgeId() {
        return parentEdgeId;
    }

    /** {@code caracal.session}. */
    public @Nullable String authorityRecordId() {
        return authorityRecordId;
    }

    /** The trace id as it was given; an invalid one begins a new trace when it is written. */
    public @Nullable String traceId() {
        return traceId;
    }

    public @Nullable String traceFlags() {
        return traceFlags;
    }

    public @Nullable String traceState() {
        return traceState;
    }

    /** The members of the baggage that are not the own five, in their order. */
    public Map<String, String> extraBaggage() {
        return extraBaggage;
    }

    /** {@code caracal.hop}, 0 to {@link #MAX_HOP}. */
    public int hop() {
        return hop;
    }

    /** Names the ids; neither the bearer nor the values of the baggage. */
    @Override
    public String toString() {
        return "Envelope[agentSession=" + agentSessionId + ", delegationEdge=" + delegationEdgeId + ", parentEdge="
                + parentEdgeId + ", authorityRecord=" + authorityRecordId + ", trace=" + traceId + ", hop=" + hop
                + ", bearer=" + (bearer == null ? "none" : "***") + ", baggage=" + extraBaggage.keySet() + "]";
    }

    /** Collects the values of an envelope. An empty text counts as absent. */
    public static final class Builder {
        private @Nullable String bearer;
        private @Nullable String agentSessionId;
        private @Nullable String delegationEdgeId;
        private @Nullable String parentEdgeId;
        private @Nullable String authorityRecordId;
        private @Nullable String traceId;
        private @Nullable String traceFlags;
        private @Nullable String traceState;
        private @Nullable Map<String, String> extraBaggage;
        private int hop;

        private Builder() {}

        public Builder bearer(@Nullable String value) {
            bearer = emptyToNull(value);
            return this;
        }

        public Builder agentSessionId(@Nullable String value) {
            agentSessionId = emptyToNull(value);
            return this;
        }

        public Builder delegationEdgeId(@Nullable String value) {
            delegationEdgeId = emptyToNull(value);
            return this;
        }

        public Builder parentEdgeId(@Nullable String value) {
            parentEdgeId = emptyToNull(value);
            return this;
        }

        public Builder authorityRecordId(@Nullable String value) {
            authorityRecordId = emptyToNull(value);
            return this;
        }

        public Builder traceId(@Nullable String value) {
            traceId = emptyToNull(value);
            return this;
        }

        public Builder traceFlags(@Nullable String value) {
            traceFlags = emptyToNull(value);
            return this;
        }

        public Builder traceState(@Nullable String value) {
            traceState = emptyToNull(value);
            return this;
        }

        /** Adds members of others; the own five are ignored, they have setters. */
        public Builder extraBaggage(Map<String, String> members) {
            members.forEach((key, value) -> {
                if (!Baggage.isOwnKey(key)) {
                    putExtra(key, value);
                }
            });
            return this;
        }

        /** Sets {@link Envelope#hop()}, clamped to 0 to {@link #MAX_HOP}. */
        public Builder hop(int value) {
            hop = Math.max(0, Math.min(value, MAX_HOP));
            return this;
        }

        /** Takes a decoded member; the keys of the own five are the constants themselves. */
        @SuppressWarnings({"ReferenceEquality", "StringEquality"})
        private void member(String key, String value) {
            if (key == Baggage.AGENT_SESSION) {
                agentSessionId = emptyToNull(value);
            } else if (key == Baggage.DELEGATION_EDGE) {
                delegationEdgeId = emptyToNull(value);
            } else if (key == Baggage.PARENT_EDGE) {
                parentEdgeId = emptyToNull(value);
            } else if (key == Baggage.SESSION) {
                authorityRecordId = emptyToNull(value);
            } else if (key == Baggage.HOP) {
                hop = parseHop(value);
            } else {
                putExtra(key, value);
            }
        }

        private void putExtra(String key, String value) {
            Map<String, String> extra = extraBaggage;
            if (extra == null) {
                extra = new LinkedHashMap<>();
                extraBaggage = extra;
            }
            extra.put(key, value);
        }

        private static int parseHop(String value) {
            int hop = 0;
            for (int i = 0; i < value.length(); i++) {
                char c = value.charAt(i);
                if (c < '0' || c > '9') {
                    return 0;
                }
                hop = Math.min(hop * 10 + (c - '0'), MAX_HOP);
            }
            return hop;
        }

        private static @Nullable String emptyToNull(@Nullable String value) {
            return value == null || value.isEmpty() ? null : value;
        }

        /** Makes the envelope. */
        public Envelope build() {
            return new Envelope(this, extraBaggage == null ? null : new LinkedHashMap<>(extraBaggage));
        }
    }
}
