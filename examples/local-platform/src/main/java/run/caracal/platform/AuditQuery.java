package run.caracal.platform;

import java.util.List;
import reactor.core.publisher.Mono;

/** Serves the audit log to programs outside this JVM. */
final class AuditQuery {

    private final AuditTrail audit;

    AuditQuery(AuditTrail audit) {
        this.audit = audit;
    }

    Mono<Answer> answer(Call call) {
        return Mono.fromSupplier(() -> switch (call.path()) {
            case "/health" -> Answer.empty(200);
            case "/audit" ->
                Answer.json(200, events(call).stream().map(AuditEvent::toJson).toList());
            default -> Answer.text(404, "404 page not found\n");
        });
    }

    private List<AuditEvent> events(Call call) {
        Form query = call.queryFields();
        return query.has("request_id") ? audit.byRequestId(query.first("request_id")) : audit.events();
    }
}
