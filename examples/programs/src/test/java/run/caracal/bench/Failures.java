package run.caracal.bench;

/** A benchmark that met an error has measured nothing. */
final class Failures {
    private Failures() {}

    /** Reports an error that no caller can receive, and ends the program. */
    static void report(Throwable error) {
        error.printStackTrace();
        Runtime.getRuntime().halt(1);
    }
}
