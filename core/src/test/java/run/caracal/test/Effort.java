package run.caracal.test;

/**
 * The number of repetitions of a test: enough to show a fault in each build, and enough to show a rare one in the soak ({@code
 * -Dsoak}), which runs the tests tagged {@code soak}.
 */
public final class Effort {
    private static final boolean SOAK = System.getProperty("soak") != null;

    private Effort() {}

    /**
     * The count for this run.
     *
     * @param build the count in each build
     * @param soak the count in the soak
     * @return one of the two
     */
    public static int of(int build, int soak) {
        return SOAK ? soak : build;
    }
}
