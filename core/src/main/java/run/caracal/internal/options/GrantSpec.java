package run.caracal.internal.options;

import java.time.Duration;
import java.util.List;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.wire.ConstraintFields;

/** The part of its parent's authority that a session is granted. */
public sealed interface GrantSpec {

    /** A grant without settings. */
    enum Whole implements GrantSpec {
        /** The whole authority of the parent. */
        INHERIT,
        /** No authority. */
        NONE
    }

    /**
     * A part of what the parent holds.
     *
     * @param scopes the scopes, at least one
     * @param resource the resource; {@code null} for the only configured one, or those of the constraints
     * @param ttl how long the delegation lives; {@code null} for as long as the session
     */
    record Narrow(
            List<String> scopes,
            @Nullable String resource,
            ConstraintFields constraints,
            @Nullable Duration ttl) implements GrantSpec {}
}
