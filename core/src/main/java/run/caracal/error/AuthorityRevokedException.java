package run.caracal.error;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The Gateway truncated an answer because the authority of its call was revoked while it was streaming: a delegation,
 * or the authority record behind it. On the wire a truncated answer ends like a complete one, so this error is the only
 * sign of it. Streaming clients signal it after the part that has arrived, in place of the completion.
 */
public final class AuthorityRevokedException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private final String resource;
    private final @Nullable String requestId;

    /**
     * Creates the exception.
     *
     * @param resource the called resource
     * @param requestId the id of the request, or {@code null}
     */
    public AuthorityRevokedException(String resource, @Nullable String requestId) {
        super("authority_revoked", message(resource, requestId), null);
        this.resource = resource;
        this.requestId = requestId;
    }

    private static String message(String resource, @Nullable String requestId) {
        return "The Gateway cut the answer of " + resource
                + " off, because the authority of the call was revoked while it"
                + " was on its way: the part that has arrived may be incomplete, and the upstream may have acted on the whole"
                + " request. Discard that part, or use it as a part; call again only with authority that is in force, in a"
                + " session with a new delegation."
                + (requestId == null ? "" : " Request id: " + requestId + ".");
    }

    /** {@return the id of the called resource} */
    public String resource() {
        return resource;
    }

    /** {@return the id of the request in the platform's logs and audit; empty if unknown} */
    public Optional<String> requestId() {
        return Optional.ofNullable(requestId);
    }
}
