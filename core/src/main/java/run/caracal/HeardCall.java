package run.caracal;

import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import run.caracal.event.CaracalEvent.GatewayCall;
import run.caracal.event.Completion;
import run.caracal.event.Completion.Outcome;
import run.caracal.http.OutboundCall;
import run.caracal.http.OutboundHeaders;
import run.caracal.internal.event.EventBus.Running;

/** A request to the Gateway of which somebody hears. */
final class HeardCall implements OutboundCall {
    private static final int FIRST_ERROR = 400;
    private static final String STATUS = "http_status";
    private static final String UNKNOWN = "-";

    private final OutboundCall call;
    private final Running running;
    private volatile @Nullable String resource;
    private volatile @Nullable String requestId;

    HeardCall(OutboundCall call, Running running) {
        this.call = call;
        this.running = running;
    }

    @Override
    public String url() {
        return call.url();
    }

    @Override
    public boolean carriesIdentity() {
        return call.carriesIdentity();
    }

    @Override
    public void edit(OutboundHeaders headers) {
        call.edit(headers);
        resource = first(headers, Outbound.RESOURCE);
        requestId = first(headers, Outbound.REQUEST_ID);
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
