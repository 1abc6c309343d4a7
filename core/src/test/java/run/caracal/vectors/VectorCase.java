package run.caracal.vectors;

import org.jspecify.annotations.Nullable;
import org.opentest4j.TestAbortedException;

/**
 * One recorded case.
 *
 * @param topic the file it comes from
 * @param name its name, unique in the topic
 * @param input the input of the peer
 * @param expected the answer of the peer
 * @param caveat why the answer is odd, accidental or a defect; {@code null} when the case is binding
 */
public record VectorCase(
        String topic,
        String name,
        VectorObject input,
        VectorObject expected,
        @Nullable String caveat) {

    /** The error that the peer raised, or {@code null} when it answered. */
    public @Nullable VectorError error() {
        if (!expected.hasValue("error")) {
            return null;
        }
        VectorObject error = expected.object("error");
        return new VectorError(
                error.string("class"), error.string("message"), Boolean.TRUE.equals(error.value("runtime_text")));
    }

    /**
     * Whether the answer is an accident of the peer by the mark of the recording itself: then the test asserts the
     * right behaviour instead (vectors/README.md).
     */
    public boolean isAccident() {
        VectorError error = error();
        return caveat != null || (error != null && error.runtimeText());
    }

    /**
     * Ends the test as skipped, and prints why: for inputs that Java's types cannot express. Call it from a rule that
     * reads the case, never by its name.
     */
    public TestAbortedException leaveOut(String reason) {
        System.out.println("left out " + this + ": " + reason);
        return new TestAbortedException(reason);
    }

    /** The name under which the case is reported. */
    @Override
    public String toString() {
        return topic + "/" + name;
    }

    /**
     * An error of the peer.
     *
     * @param type the Python class
     * @param message its message
     * @param runtimeText whether the message is the runtime's own, so that only the failure counts
     */
    public record VectorError(String type, String message, boolean runtimeText) {}
}
