package run.caracal;

/** How a received delegation is checked before it is used. */
public enum Acceptance {
    /** No check: the platform checks the delegation when it is used. */
    UNCHECKED,

    /** The Coordinator must confirm that the delegation is active and addressed to the session. */
    VALIDATED;

    boolean isValidated() {
        return this == VALIDATED;
    }
}
