package run.caracal.internal.json;

/** Text is not JSON, or a value in it is not of the kind that is needed. The message never quotes the text. */
public final class JsonException extends Exception {
    private static final long serialVersionUID = 1L;

    /** Says what is wrong. */
    public JsonException(String message) {
        // Without the cause, whose message quotes input that may be a secret.
        super(message);
    }
}
