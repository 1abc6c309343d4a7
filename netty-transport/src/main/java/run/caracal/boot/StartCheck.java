package run.caracal.boot;

import run.caracal.Caracal;

/** Fails the start of an application if the platform is not usable. Blocks the starting thread. */
final class StartCheck {
    private StartCheck() {}

    /** Throws the error that opening a session would signal, within the client's timeouts. */
    static void check(Caracal caracal) {
        caracal.check().block();
    }
}
