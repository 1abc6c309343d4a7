package run.caracal.http;

/** Makes the {@link HttpTransport} of an artifact; found with {@link java.util.ServiceLoader}. */
public interface HttpTransportProvider {

    /**
     * Creates a transport with its default settings, owned by the client that asked for it.
     *
     * @return a new transport
     */
    HttpTransport create();

    /**
     * Creates a transport for what belongs to the calls of users, {@link run.caracal.Caracal#fetch} and mandates, owned by
     * the client that asked for it. It may share the threads that users make their own calls on; the transport of {@link
     * #create()} may not, so that a blocked caller delays no renewal and no termination.
     *
     * @return a new transport; by default like that of {@link #create()}
     */
    default HttpTransport createForCalls() {
        return create();
    }
}
