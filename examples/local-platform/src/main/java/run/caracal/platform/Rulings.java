package run.caracal.platform;

import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/** Rulings of an operator at run time: scopes that are denied, or require a person's approval. */
final class Rulings {

    static final String DENIED = "denied_by_ruling";

    private enum Kind {
        DENY,
        HOLD
    }

    private record Key(Kind kind, String resourceId) {}

    private final Map<Key, Set<String>> scopes = new ConcurrentHashMap<>();

    void deny(String resourceId, Set<String> denied) {
        scopes.put(new Key(Kind.DENY, resourceId), denied);
    }

    void hold(String resourceId, Set<String> held) {
        scopes.put(new Key(Kind.HOLD, resourceId), held);
    }

    boolean denies(String resourceId, String scope) {
        return contains(Kind.DENY, resourceId, scope);
    }

    boolean holds(String resourceId, String scope) {
        return contains(Kind.HOLD, resourceId, scope);
    }

    void clear() {
        scopes.clear();
    }

    private boolean contains(Kind kind, String resourceId, String scope) {
        return scopes.getOrDefault(new Key(kind, resourceId), Set.of()).contains(scope);
    }
}
