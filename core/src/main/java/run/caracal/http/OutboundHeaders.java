package run.caracal.http;

import java.util.List;

/** The headers of a request that is about to leave; names match in any case. */
public interface OutboundHeaders {

    /** {@return all values of a header; the values in order, empty when the header is absent} */
    List<String> getAll(String name);

    /** Replaces all values of a header by one. */
    void set(String name, String value);

    /** Removes a header. */
    void remove(String name);
}
