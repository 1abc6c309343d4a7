package run.caracal;

/** How a delegation that another session issued is taken on. */
public enum Acceptance {
    /** Without a call: the platform judges it when it is used. */
    UNCHECKED,

    /** Only when the Coordinator says that it is active and addressed to the session. */
    VALIDATED;

    boolean isValidated() {
        return this == VALIDATED;
    }
}
