package run.caracal.platform;

/** The bearers that the Gateway accepts. */
public enum GatewayMode {
    /** One-shot mandates ({@code use=gateway}) only, as on the platform since 1.0. */
    ONE_SHOT,
    /** Also the reusable application token ({@code use=session}), as on earlier platforms. */
    SESSION_TOKEN
}
