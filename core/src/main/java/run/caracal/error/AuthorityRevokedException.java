package run.caracal.error;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * The Gateway cut an answer off, because the authority of its call was revoked while the answer was on its way: a delegation,
 * or the authority record that it rests on. On the wire such an answer ends as a whole one does, so this error is the
 * only sign that it is none. Clients that stream signal it after the part that has arrived, in place of the completion.
 */
public final class AuthorityRevokedException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private final String resource;
    private final @Nullable String requestId;

    /**
     * Creates the exception.
     *
     * @param resource the resource that was called
     * @param requestId the id of the request, or {@code null} when it is not known
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

    /** {@return the identifier of the resource that was called} */
    public String resource() {
        return resource;
    }

    /** {@return the id of the request, by which the platform's logs and audit can be searched; empty when it is not known} */
    public Optional<String> requestId() {
        return Optional.ofNullable(requestId);
    }
}
