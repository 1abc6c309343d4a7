package run.caracal.platform;

import java.time.Duration;
import java.util.Map;

/**
 * The fault of one request, decided by a {@link FaultRule}.
 *
 * @param kind the kind of fault
 * @param delay the time to wait, for the kinds that wait
 * @param status the status to answer, for {@link Kind#RESPOND}
 * @param headers the headers to answer, for {@link Kind#RESPOND}
 * @param body the body to answer, for {@link Kind#RESPOND}
 */
public record Fault(Kind kind, Duration delay, int status, Map<String, String> headers, String body) {

    /** The kind of a fault. */
    public enum Kind {
        /** No fault. */
        NONE,
        /** The request is processed after a delay, even if its client has gone. */
        DELAY,
        /** The request is processed immediately, and answered after a delay. */
        DELAY_RESPONSE,
        /** The request is not processed; the given answer is sent. */
        RESPOND,
        /** The request is not processed; the connection is closed. */
        RESET_BEFORE,
        /** The request is processed; then the connection is closed without an answer. */
        DROP_RESPONSE,
        /** The request is neither processed nor answered; the connection stays open until the platform is reset. */
        STALL
    }

    private static final Fault NONE = of(Kind.NONE, Duration.ZERO);

    /** {@return no fault} */
    public static Fault none() {
        return NONE;
    }

    /** {@return a fault that delays the processing; the request is processed even if its client has gone} */
    public static Fault delay(Duration delay) {
        return of(Kind.DELAY, delay);
    }

    /** {@return a fault that processes the request immediately, and delays the answer} */
    public static Fault delayResponse(Duration delay) {
        return of(Kind.DELAY_RESPONSE, delay);
    }

    /**
     * {@return a fault that sends this answer instead of processing the request}
     *
     * @param headers {@code Content-Type} is JSON unless set here
     */
    public static Fault respond(int status, Map<String, String> headers, String body) {
        return new Fault(Kind.RESPOND, Duration.ZERO, status, Map.copyOf(headers), body);
    }

    /** {@return a fault that closes the connection before the request is processed} */
    public static Fault resetBefore() {
        return of(Kind.RESET_BEFORE, Duration.ZERO);
    }

    /** {@return a fault that processes the request and closes the connection without an answer} */
    public static Fault dropResponse() {
        return of(Kind.DROP_RESPONSE, Duration.ZERO);
    }

    /** {@return a fault that never answers, until the client closes the connection or the platform is reset} */
    public static Fault stall() {
        return of(Kind.STALL, Duration.ZERO);
    }

    private static Fault of(Kind kind, Duration delay) {
        return new Fault(kind, delay, 0, Map.of(), "");
    }
}
