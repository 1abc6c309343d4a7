package run.caracal.examples.faults;

import java.io.IOException;
import java.net.ConnectException;
import java.net.UnknownHostException;
import javax.net.ssl.SSLException;
import run.caracal.error.CaracalException;
import run.caracal.error.CoordinatorException;
import run.caracal.error.InboundException;
import run.caracal.error.ProtocolException;
import run.caracal.error.ServiceException;
import run.caracal.error.TransportException;
import run.caracal.examples.faults.Bench.Op;
import run.caracal.examples.faults.FaultProxy.Plan;

/**
 * One cell of the matrix.
 *
 * @param op the operation of the client
 * @param fault the name of the fault, for people
 * @param once whether the operation meets the fault once only, or each time
 * @param plan the fault, and the requests that it hits
 * @param world the platform
 * @param expected the expected outcome
 */
record Cell(Op op, String fault, boolean once, Plan plan, World world, Expected expected) {

    /** The platform that the client meets. */
    enum World {
        /** One that is as it should be. */
        SOUND,
        /** One whose clock is ten minutes ahead. */
        AHEAD,
        /** One whose clock is ten minutes behind. */
        BEHIND,
        /** One that loses its keys and its state in the middle of the work. */
        FORGETFUL,
        /** One whose keys the verifier fetched six minutes ago: stale, and refreshed in the background. */
        STALE_KEYS,
        /** One whose keys the verifier fetched eleven minutes ago: too old to use. */
        OLD_KEYS
    }

    /**
     * The expected outcome of a cell.
     *
     * @param saw the result of the caller: the code of the error, without {@code transport_}, and behind that of a refusal
     *     the code of its cause, or its description; or {@code ok}; or the status and the origin of an answer; alternatives
     *     are separated by a slash
     * @param type the simple name of the error's class; empty where the code says enough
     * @param attempts how many requests of the operation were tried, those of the caller's own second call among them
     * @param left how many sessions the platform still holds open when the client is closed
     * @param answer the expected properties of an error that a service answered; else {@code null}
     */
    record Expected(String saw, String type, int attempts, int left, Refused answer) {
        Expected(String saw, int attempts, int left) {
            this(saw, "", attempts, left, null);
        }
    }

    /**
     * The expected properties of an error about a service's answer.
     *
     * @param status the HTTP status
     * @param retryable whether a later call may succeed
     * @param ambiguous whether the service may have acted
     */
    record Refused(int status, boolean retryable, boolean ambiguous) {}

    /**
     * The result of a caller.
     *
     * @param code as in {@link Expected#saw()}
     * @param type the simple name of the error's class
     * @param status the HTTP status; 0 when there was none
     * @param retryable whether the error says that a later call may succeed
     * @param ambiguous whether the error says that the service may have acted
     */
    record Saw(String code, String type, int status, boolean retryable, boolean ambiguous) {

        static Saw value(String value) {
            return new Saw(value, "", 0, false, false);
        }

        static Saw error(Throwable error) {
            String type = error.getClass().getSimpleName();
            if (!(error instanceof CaracalException typed)) {
                return new Saw(kind(error), type, 0, false, false);
            }
            int status = error instanceof ServiceException answer
                    ? answer.httpStatus()
                    : error instanceof ProtocolException answer ? answer.httpStatus() : 0;
            boolean ambiguous = (error instanceof TransportException lost && lost.isAmbiguous())
                    || (error instanceof CoordinatorException answer && answer.isOutcomeUnknown());
            String code = typed.code();
            if (error instanceof InboundException refusal) {
                status = refusal.httpStatus();
                code += " "
                        + (refusal.getCause() instanceof CaracalException cause ? cause.code() : refusal.description());
            }
            return new Saw(code.replace("transport_", ""), type, status, typed.isRetryable(), ambiguous);
        }

        /** The kind of an error of the caller's own HTTP client, whose classes differ between systems. */
        private static String kind(Throwable error) {
            if (error instanceof UnknownHostException) {
                return "unknown host";
            }
            if (error instanceof SSLException || error.getCause() instanceof SSLException) {
                return "tls";
            }
            if (error instanceof ConnectException) {
                return "refused";
            }
            if (error instanceof IOException) {
                return "broken";
            }
            return error.getClass().getSimpleName();
        }

        boolean isOk() {
            return code.equals("ok") || code.equals("200");
        }

        @Override
        public String toString() {
            return type.isEmpty()
                    ? code
                    : type + " " + code + (status == 0 ? "" : " " + status) + (retryable ? " retryable" : "")
                            + (ambiguous ? " ambiguous" : "");
        }
    }

    /** Whether an answer that is not from the platform passes as the end of the session: any 2xx does. */
    boolean isTakenAtItsWord() {
        return op == Op.CLOSE && attemptsEndWell();
    }

    private boolean attemptsEndWell() {
        if (plan.answers() != null) {
            int status = plan.answers().status();
            return status < 300 || status == 404 || status == 409;
        }
        if (plan.fault() == null) {
            return false;
        }
        return switch (plan.fault()) {
            case EMPTY, GARBAGE, HTML, GZIP_BOMB -> true;
            default -> false;
        };
    }

    String name() {
        return op + " " + fault + (once ? " once" : "");
    }
}
