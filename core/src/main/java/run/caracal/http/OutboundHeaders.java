package run.caracal.http;

import java.util.List;

/** The headers of a request that is about to leave; names match in any case. */
public interface OutboundHeaders {

    /**
     * All values of a header.
     *
     * @param name the name
     * @return the values in order, empty when the header is absent
     */
    List<String> getAll(String name);

    /**
     * Replaces all values of a header by one.
     *
     * @param name the name
     * @param value the value
     */
    void set(String name, String value);

    /**
     * Removes a header.
     *
     * @param name the name
     */
    void remove(String name);
}
