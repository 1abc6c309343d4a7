package run.caracal.error;

import java.util.List;
import java.util.stream.Collectors;

/** The configuration is invalid. All faults are reported together. */
public final class ConfigurationException extends CaracalException {
    private static final long serialVersionUID = 1L;

    /**
     * One fault.
     *
     * @param setting the invalid field, variable or key, for instance {@code CARACAL_ZONE_ID}
     * @param source where the value came from (environment variable, file and key, builder method)
     * @param message what is wrong and what to do; never the value of a secret
     */
    public record Problem(String setting, String source, String message) implements java.io.Serializable {
        private static final long serialVersionUID = 1L;
    }

    @SuppressWarnings("serial") // List.copyOf is serializable
    private final List<Problem> problems;

    /**
     * Creates the exception.
     *
     * @param problems the faults, at least one
     */
    public ConfigurationException(List<Problem> problems) {
        super("configuration_invalid", message(problems), null);
        this.problems = List.copyOf(problems);
    }

    private static String message(List<Problem> problems) {
        String lines = problems.stream()
                .map(p -> p.setting() + " (" + p.source() + "): " + p.message())
                .collect(Collectors.joining("\n  - "));
        return "The Caracal configuration has "
                + (problems.size() == 1 ? "a fault" : problems.size() + " faults")
                + ":\n  - " + lines;
    }

    /** {@return the faults; an immutable list, never empty} */
    public List<Problem> problems() {
        return problems;
    }
}
