package run.caracal.internal.routing;

/** Where a request goes. */
public sealed interface Route {

    /**
     * The address lies under a bound prefix, or the caller named the resource: it goes to the Gateway instead.
     *
     * @param url the address at the Gateway; the caller's path and query, with what cannot stand in a request line escaped
     */
    record Rewritten(String url, String resource) implements Route {}

    /**
     * The address already is the Gateway's.
     *
     * @param url the caller's address, with what cannot stand in a request line escaped
     */
    record AtGateway(String url) implements Route {}

    /**
     * The address is none of ours; the caller's own is to be used as it is.
     *
     * @param origin its normalised origin, see {@link Router#origin}
     */
    record PassThrough(String origin) implements Route {}
}
