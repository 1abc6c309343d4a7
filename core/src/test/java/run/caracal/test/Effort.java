package run.caracal.test;

/**
 * How much a test repeats: in each build as much as shows a fault, and in the soak ({@code -Dsoak}), which runs the tests
 * tagged {@code soak}, as much as shows a rare one.
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
