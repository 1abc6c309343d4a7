package run.caracal.boot;

import run.caracal.Caracal;

/** Lets an application start only with a platform that can be used. The one place that waits: on the thread that starts it. */
final class StartCheck {
    private StartCheck() {}

    /** Throws what opening a session would meet. The timeouts of the client bound it. */
    static void check(Caracal caracal) {
        caracal.check().block();
    }
}
