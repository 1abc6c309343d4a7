package run.caracal.redis;

import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/** The two streams of the platform, and the format of their entries. */
enum RevocationStream {
    /** Revoked authority records, sessions and delegations. */
    SESSIONS("caracal.sessions.revoke", "resource-revocation") {
        @Override
        @Nullable
        Change read(Map<String, String> fields) {
            Set<String> anchors = new LinkedHashSet<>();
            for (String name : ANCHOR_FIELDS) {
                String anchor = fields.getOrDefault(name, "");
                if (!anchor.isEmpty()) {
                    anchors.add(anchor);
                }
            }
            return anchors.isEmpty() ? null : new Revoked(anchors);
        }

        @Override
        String unreadable() {
            return "missing_revocation_anchor";
        }
    },

    /** Epochs of the delegations of zones. */
    DELEGATIONS("caracal.delegations.invalidate", "resource-delegation-invalidation") {
        @Override
        @Nullable
        Change read(Map<String, String> fields) {
            String zoneId = fields.getOrDefault("zone_id", "");
            String epoch = fields.getOrDefault("epoch", "");
            return zoneId.isEmpty() || !RedisRevocationStore.isEpoch(epoch) ? null : new Raised(zoneId, epoch);
        }

        @Override
        String unreadable() {
            return "invalid_delegation_epoch";
        }
    };

    private static final List<String> ANCHOR_FIELDS =
            List.of("session_id", "sid", "root_sid", "agent_session_id", "delegation_edge_id");

    private final String key;
    private final String group;

    RevocationStream(String key, String group) {
        this.key = key;
        this.group = group;
    }

    /** The effect of an entry. */
    sealed interface Change {}

    /** Ids are revoked. */
    record Revoked(Set<String> anchors) implements Change {}

    /** An epoch, in decimal digits, is reached. */
    record Raised(String zoneId, String epoch) implements Change {}

    String key() {
        return key;
    }

    String group() {
        return group;
    }

    String deadLetters() {
        return key + ".dead";
    }

    /** Parses an entry; {@code null} if malformed. */
    abstract @Nullable Change read(Map<String, String> fields);

    /** The reason of the dead letter of a malformed entry. */
    abstract String unreadable();
}
