package run.caracal.http;

/** Makes the {@link HttpTransport} of an artifact; found with {@link java.util.ServiceLoader}. */
public interface HttpTransportProvider {

    /**
     * Creates a transport with its default settings, owned by the client that asked for it.
     *
     * @return a new transport
     */
    HttpTransport create();
}
