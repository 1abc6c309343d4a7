package run.caracal.platform;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A resource that the Gateway protects.
 *
 * @param id the identifier, for instance {@code resource://billing-api}
 * @param scopes the scopes it declares
 * @param owner the only application that may use it; by default the platform's first
 * @param sharedWith further applications that may use it, a deviation from deployments
 * @param upstream the base URL behind the Gateway; by default the platform's own protected API
 * @param operations the operations it permits; none means any
 * @param roles the scopes of each role, in addition to the role that every application has under its own id
 * @param approvals the scopes that a person must approve, by tier
 */
public record ProtectedResource(
        String id,
        Set<String> scopes,
        @Nullable String owner,
        Set<String> sharedWith,
        @Nullable String upstream,
        List<Operation> operations,
        Map<String, Set<String>> roles,
        Map<String, String> approvals) {

    /**
     * A request that a resource permits; both parts are compared exactly.
     *
     * @param method the method, for instance {@code POST}
     * @param path the path as it is sent to the Gateway, decoded and without the query
     */
    public record Operation(String method, String path) {}

    /**
     * {@return a resource of the platform's first application, at the platform's own protected API}
     *
     * @param id the identifier
     * @param scopes the scopes it declares
     */
    public static ProtectedResource of(String id, String... scopes) {
        return new ProtectedResource(id, Set.of(scopes), null, Set.of(), null, List.of(), Map.of(), Map.of());
    }

    /**
     * {@return the same resource, of another application} Only its owner obtains tokens and mandates for it and uses them, with
     * a delegation too. Any application may delegate its scopes to the owner.
     */
    public ProtectedResource withOwner(String applicationId) {
        return new ProtectedResource(id, scopes, applicationId, sharedWith, upstream, operations, roles, approvals);
    }

    /**
     * {@return the same resource, for further applications beside its owner} This is a deviation: a deployment maps a resource
     * to one application. An application that depends on it fails there with {@code policy denied}.
     *
     * @param applicationIds the further applications
     */
    public ProtectedResource sharedWith(String... applicationIds) {
        return new ProtectedResource(id, scopes, owner, Set.of(applicationIds), upstream, operations, roles, approvals);
    }

    /**
     * {@return the same resource with another base URL behind the Gateway}
     *
     * @param baseUrl an absolute http URL
     */
    public ProtectedResource withUpstream(String baseUrl) {
        return new ProtectedResource(id, scopes, owner, sharedWith, baseUrl, operations, roles, approvals);
    }

    /**
     * {@return the same resource with one more permitted operation; operations that are not named are rejected}
     *
     * @param path the path as it is sent to the Gateway
     */
    public ProtectedResource withOperation(String method, String path) {
        List<Operation> more = new ArrayList<>(operations);
        more.add(new Operation(method, path));
        return new ProtectedResource(id, scopes, owner, sharedWith, upstream, List.copyOf(more), roles, approvals);
    }

    /**
     * {@return the same resource with one more role} The labels of a session name its roles. A session that is labelled with
     * its application's id may have every scope.
     *
     * @param roleScopes the scopes it may have; none means every scope of the resource
     */
    public ProtectedResource withRole(String role, String... roleScopes) {
        Map<String, Set<String>> more = new HashMap<>(roles);
        more.put(role, roleScopes.length == 0 ? scopes : Set.of(roleScopes));
        return new ProtectedResource(id, scopes, owner, sharedWith, upstream, operations, Map.copyOf(more), approvals);
    }

    /**
     * {@return the same resource, for which a person must approve each mandate that has one of these scopes}
     *
     * @param tier the tier of approvers; any word
     * @param gatedScopes the scopes; none means every scope of the resource
     */
    public ProtectedResource withApproval(String tier, String... gatedScopes) {
        Map<String, String> more = new LinkedHashMap<>(approvals);
        Set<String> gated = gatedScopes.length == 0 ? scopes : Set.of(gatedScopes);
        gated.forEach(scope -> more.put(scope, tier));
        return new ProtectedResource(id, scopes, owner, sharedWith, upstream, operations, roles, Map.copyOf(more));
    }

    boolean permits(String method, String path) {
        return operations.isEmpty() || operations.contains(new Operation(method, path));
    }

    ProtectedResource ownedBy(String applicationId) {
        return owner == null ? withOwner(applicationId) : this;
    }

    boolean isGrantedTo(String applicationId) {
        return applicationId.equals(owner) || sharedWith.contains(applicationId);
    }

    /** Whether one of a session's labels is a role that may have all of these scopes. */
    boolean hasRole(SessionSnapshot session, List<String> wanted) {
        return session.labels().stream()
                .anyMatch(label -> label.equals(session.applicationId())
                        || (roles.containsKey(label)
                                && roles.getOrDefault(label, Set.of()).containsAll(wanted)));
    }
}
