package run.caracal.platform;

import java.time.Duration;
import java.util.Map;

/**
 * The fault of one request, as a {@link FaultRule} decides.
 *
 * @param kind what happens
 * @param delay the time to wait, for the kinds that wait
 * @param status the status to answer, for {@link Kind#RESPOND}
 * @param headers the headers to answer, for {@link Kind#RESPOND}
 * @param body the body to answer, for {@link Kind#RESPOND}
 */
public record Fault(Kind kind, Duration delay, int status, Map<String, String> headers, String body) {

    /** The treatment of a request. */
    public enum Kind {
        /** Nothing: it is handled as always. */
        NONE,
        /** It is handled after a delay, even if its client has gone meanwhile. */
        DELAY,
        /** It is handled at once, and answered after a delay. */
        DELAY_RESPONSE,
        /** It is not handled; the given answer is sent. */
        RESPOND,
        /** It is not handled; the connection is closed. */
        RESET_BEFORE,
        /** It is handled; then the connection is closed without an answer. */
        DROP_RESPONSE,
        /** It is neither handled nor answered; the connection stays open until the platform is reset. */
        STALL
    }

    private static final Fault NONE = of(Kind.NONE, Duration.ZERO);

    /** {@return no fault} */
    public static Fault none() {
        return NONE;
    }

    /**
     * {@return a fault that delays the handling; what was asked is done even if the client goes away}
     *
     * @param delay the time to wait before the request is handled
     */
    public static Fault delay(Duration delay) {
        return of(Kind.DELAY, delay);
    }

    /**
     * {@return a fault that handles the request at once and delays the answer}
     *
     * @param delay the time to wait before the answer
     */
    public static Fault delayResponse(Duration delay) {
        return of(Kind.DELAY_RESPONSE, delay);
    }

    /**
     * {@return a fault that answers in the server's place}
     *
     * @param headers the headers; {@code Content-Type} is JSON unless it is among them
     * @param body the body, as it goes out
     */
    public static Fault respond(int status, Map<String, String> headers, String body) {
        return new Fault(Kind.RESPOND, Duration.ZERO, status, Map.copyOf(headers), body);
    }

    /** {@return a fault that closes the connection before anything is done} */
    public static Fault resetBefore() {
        return of(Kind.RESET_BEFORE, Duration.ZERO);
    }

    /** {@return a fault that does what was asked and closes the connection without an answer} */
    public static Fault dropResponse() {
        return of(Kind.DROP_RESPONSE, Duration.ZERO);
    }

    /** {@return a fault that leaves the request without an answer, until its client goes or the platform is reset} */
    public static Fault stall() {
        return of(Kind.STALL, Duration.ZERO);
    }

    private static Fault of(Kind kind, Duration delay) {
        return new Fault(kind, delay, 0, Map.of(), "");
    }
}
