package run.caracal.http;

/** Creates the {@link HttpTransport} of an artifact; found with {@link java.util.ServiceLoader}. */
public interface HttpTransportProvider {

    /** {@return a new transport with default settings, owned by the calling client} */
    HttpTransport create();

    /**
     * {@return a new transport for calls of users, {@link run.caracal.Caracal#fetch} and mandates, owned by the calling
     * client} It may share threads with user traffic; that of {@link #create()} must not, so that a blocked user thread
     * delays no renewal and no termination. Defaults to {@link #create()}.
     */
    default HttpTransport createForCalls() {
        return create();
    }
}
