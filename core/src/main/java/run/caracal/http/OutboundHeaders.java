package run.caracal.http;

import java.util.List;

/** The headers of an outgoing request; names match in any case. */
public interface OutboundHeaders {

    /** {@return all values of a header in order; empty if absent} */
    List<String> getAll(String name);

    /** Replaces all values of a header. */
    void set(String name, String value);

    /** Removes a header. */
    void remove(String name);
}
