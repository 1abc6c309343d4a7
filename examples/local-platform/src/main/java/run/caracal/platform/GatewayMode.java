package run.caracal.platform;

/** Which bearer the Gateway takes from a client. */
public enum GatewayMode {
    /** Only a one-shot mandate ({@code use=gateway}) is accepted, as the platform does since 1.0. */
    ONE_SHOT,
    /** The reusable application token ({@code use=session}) is accepted, as the platform did in June; a one-shot mandate is too. */
    SESSION_TOKEN
}
