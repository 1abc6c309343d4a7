package run.caracal.examples.platform;

import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A resource that the Gateway protects.
 *
 * @param id the identifier, for instance {@code resource://billing-api}
 * @param scopes the scopes it declares
 * @param applications the applications that may ask for it; none means every application of the zone
 * @param upstream the base URL behind the Gateway; without one it is the platform's own protected API
 * @param operations the operations it permits; none means any
 */
public record ProtectedResource(
        String id,
        Set<String> scopes,
        Set<String> applications,
        @Nullable String upstream,
        List<Operation> operations) {

    /**
     * A request that a resource permits; both parts are compared exactly.
     *
     * @param method the method, for instance {@code POST}
     * @param path the path as it is sent to the Gateway, decoded and without the query
     */
    public record Operation(String method, String path) {}

    /**
     * {@return a resource for every application, at the platform's own protected API}
     *
     * @param id the identifier
     * @param scopes the scopes it declares
     */
    public static ProtectedResource of(String id, String... scopes) {
        return new ProtectedResource(id, Set.of(scopes), Set.of(), null, List.of());
    }

    /**
     * {@return the same resource, for these applications only}
     *
     * @param ids the applications that may ask for it
     */
    public ProtectedResource withApplications(String... ids) {
        return new ProtectedResource(id, scopes, Set.of(ids), upstream, operations);
    }

    /**
     * {@return the same resource with another base URL behind the Gateway}
     *
     * @param baseUrl an absolute http URL
     */
    public ProtectedResource withUpstream(String baseUrl) {
        return new ProtectedResource(id, scopes, applications, baseUrl, operations);
    }

    /**
     * {@return the same resource, permitting one more operation and nothing that is not named}
     *
     * @param method the method
     * @param path the path as it is sent to the Gateway
     */
    public ProtectedResource withOperation(String method, String path) {
        List<Operation> more = new ArrayList<>(operations);
        more.add(new Operation(method, path));
        return new ProtectedResource(id, scopes, applications, upstream, List.copyOf(more));
    }

    boolean permits(String method, String path) {
        return operations.isEmpty() || operations.contains(new Operation(method, path));
    }

    boolean isGrantedTo(String applicationId) {
        return applications.isEmpty() || applications.contains(applicationId);
    }
}
