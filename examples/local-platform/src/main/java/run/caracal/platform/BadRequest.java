package run.caracal.platform;

import java.util.Map;
import org.jspecify.annotations.Nullable;

/** An error of the Coordinator whose body has more than its code. */
final class BadRequest extends RuntimeException {

    private static final long serialVersionUID = 1L;

    private final int status;
    private final String code;
    private final @Nullable String description;
    private final transient Map<String, ?> extra;

    BadRequest(int status, String code, @Nullable String description, Map<String, ?> extra) {
        super(code, null, false, false);
        this.status = status;
        this.code = code;
        this.description = description;
        this.extra = extra;
    }

    Answer answer(Call call) {
        Map<String, @Nullable Object> body = Json.object();
        body.put("error", code);
        if (description != null) {
            body.put("error_description", description);
            body.put("requestId", CoordinatorInput.requestId(call));
        }
        body.putAll(extra);
        return Answer.json(status, body);
    }
}
