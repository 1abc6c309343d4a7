package run.caracal.internal.propagation;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Headers;
import run.caracal.internal.Ids;

/** Reads what comes with a request or a message. */
public final class IncomingHeaders {
    /** How many lines of a header are read; more are over every limit, and one more shows that. */
    private static final int MAX_LINES = 65;

    private IncomingHeaders() {}

    /**
     * Reads what a request or a message carries beside its bearer: malformed ids are ignored, and
     * without a trace a new one begins.
     */
    public static Envelope read(Function<String, List<String>> headers) {
        Envelope said = Envelope.decode(
                name -> name.equalsIgnoreCase(Headers.AUTHORIZATION) ? List.of() : lines(headers, name));
        boolean noTrace = said.traceId() == null;
        return said.toBuilder()
                .agentSessionId(id(said.agentSessionId()))
                .delegationEdgeId(id(said.delegationEdgeId()))
                .parentEdgeId(id(said.parentEdgeId()))
                .authorityRecordId(id(said.authorityRecordId()))
                .traceId(noTrace ? TraceParent.newTraceId() : said.traceId())
                // The state belongs to the trace that is not there.
                .traceState(noTrace ? null : said.traceState())
                .build();
    }

    private static @Nullable String id(@Nullable String said) {
        return Ids.isValid(said) ? said : null;
    }

    /** The lines of a header that are there, few enough to be looked at. */
    public static List<String> lines(Function<String, List<String>> headers, String name) {
        List<?> given = headers.apply(name);
        if (given == null || given.isEmpty()) {
            return List.of();
        }
        List<String> lines = new ArrayList<>(Math.min(given.size(), MAX_LINES));
        for (int i = 0; i < given.size() && lines.size() < MAX_LINES; i++) {
            if (given.get(i) instanceof String line) {
                lines.add(line);
            }
        }
        return lines;
    }

    /** The headers of a map whose names may have any case. */
    public static Function<String, List<String>> lookup(Map<String, ?> map) {
        return name -> {
            List<String> lines = new ArrayList<>(1);
            for (Map.Entry<String, ?> entry : map.entrySet()) {
                if (name.equalsIgnoreCase(entry.getKey()) && entry.getValue() instanceof String line) {
                    lines.add(line);
                }
            }
            return lines;
        };
    }
}
