package run.caracal.internal.outbound;

import java.util.List;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import run.caracal.event.CaracalEvent.GatewayCall;
import run.caracal.event.Completion;
import run.caracal.event.Completion.Outcome;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundHeaders;
import run.caracal.internal.Headers;
import run.caracal.internal.event.EventBus.Running;

/** A decision about an observed request to the Gateway. */
final class ObservedDecision implements OutboundDecision {
    private static final int FIRST_ERROR = 400;
    private static final String STATUS = "http_status";
    private static final String UNKNOWN = "-";

    private final OutboundDecision decision;
    private final Running running;
    private volatile @Nullable String resource;
    private volatile @Nullable String requestId;

    ObservedDecision(OutboundDecision decision, Running running) {
        this.decision = decision;
        this.running = running;
    }

    @Override
    public String url() {
        return decision.url();
    }

    @Override
    public boolean carriesIdentity() {
        return decision.carriesIdentity();
    }

    @Override
    public boolean ownsAuthorization() {
        return decision.ownsAuthorization();
    }

    @Override
    public void edit(OutboundHeaders headers) {
        decision.edit(headers);
        resource = first(headers, Headers.RESOURCE);
        requestId = first(headers, Headers.REQUEST_ID);
    }

    private static @Nullable String first(OutboundHeaders headers, String name) {
        List<String> values = headers.getAll(name);
        return values.isEmpty() ? null : values.get(0);
    }

    @Override
    public boolean isObserved() {
        return true;
    }

    @Override
    public void answered(int status, Function<String, @Nullable String> header) {
        decision.answered(status, header);
        ended(status, null);
    }

    @Override
    public void ended(int status, @Nullable Throwable error) {
        boolean refused = status >= FIRST_ERROR;
        Outcome outcome =
                error != null || refused ? Outcome.FAILURE : status == 0 ? Outcome.CANCELLED : Outcome.SUCCESS;
        running.end(
                outcome,
                error,
                end -> new GatewayCall(
                        Objects.requireNonNullElse(resource, UNKNOWN),
                        new Completion(outcome, end.duration(), status, refused ? STATUS : end.code(), requestId)));
    }
}
