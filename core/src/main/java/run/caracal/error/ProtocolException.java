package run.caracal.error;

import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * A service answered with success, but against the protocol: not JSON, or without a required field. Usually another
 * server answers at its address.
 */
public final class ProtocolException extends CaracalException {
    private static final long serialVersionUID = 1L;

    private final String service;
    private final String operation;
    private final int httpStatus;
    private final @Nullable String requestId;

    /**
     * Creates the exception.
     *
     * @param service for instance {@code STS}
     * @param operation the call, for instance {@code POST /oauth/2/token}
     * @param requestId the id of the request, or {@code null}
     * @param problem what is missing or wrong in the answer, never a part of it
     */
    public ProtocolException(
            String service, String operation, int httpStatus, @Nullable String requestId, String problem) {
        super("protocol_error", message(service, operation, httpStatus, requestId, problem), null);
        this.service = service;
        this.operation = operation;
        this.httpStatus = httpStatus;
        String id = Excerpts.of(requestId, 128);
        this.requestId = id.isEmpty() ? null : id;
    }

    private static String message(
            String service, String operation, int httpStatus, @Nullable String requestId, String problem) {
        String id = Excerpts.of(requestId, 128);
        return "The " + service + " answered " + operation + " with " + httpStatus + ", but " + problem
                + ". Check that the address of the " + service + " is right and that no proxy answers in its place."
                + (id.isEmpty() ? "" : " Request id: " + id + ".");
    }

    /** {@return the service, for instance {@code STS}} */
    public String service() {
        return service;
    }

    /** {@return method and path of the call} */
    public String operation() {
        return operation;
    }

    /** {@return the HTTP status of the answer} */
    public int httpStatus() {
        return httpStatus;
    }

    /** {@return the id of the request, if the answer had one} */
    public Optional<String> requestId() {
        return Optional.ofNullable(requestId);
    }
}
