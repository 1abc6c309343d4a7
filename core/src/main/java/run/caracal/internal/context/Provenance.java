package run.caracal.internal.context;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.options.GrantSpec;
import run.caracal.internal.wire.ConstraintFields;
import run.caracal.verify.VerifiedMandate;

/** The origin of a context's authority, as far as this client knows it. */
public sealed interface Provenance {

    /** The context whose authority this one shares, narrows or accepted. */
    @Nullable
    BoundContext above();

    /**
     * A session that this client opened.
     *
     * @param edgeEnds when the delegation that bounds it ends at the earliest, on the monotonic clock
     */
    record Spawned(
            @Nullable BoundContext above,
            List<String> labels,
            GrantSpec grant,
            @Nullable String resource,
            @Nullable Long edgeEnds)
            implements Provenance {}

    /** A context that names a delegation which its session issued. */
    record Issued(BoundContext above, IssuedDelegation delegation) implements Provenance {}

    /** A context under a delegation which its session received. */
    record Accepted(BoundContext above) implements Provenance {}

    /**
     * A context that came with a request.
     *
     * @param owner the scope of the client that judged the request, which alone acts under it
     * @param bearer the token that came with it; {@code null} when the work runs as the application
     * @param mandate the verified mandate; {@code null} if it was not verified
     * @param ours whether the session is proven to be of the client's own zone and application
     */
    record Received(
            Object owner, @Nullable String bearer, @Nullable VerifiedMandate mandate, boolean ours)
            implements Provenance {
        @Override
        public @Nullable BoundContext above() {
            return null;
        }

        @Override
        public String toString() {
            return "Received[bearer=" + (bearer == null ? "none" : "***") + ", verified=" + (mandate != null)
                    + ", ours=" + ours + "]";
        }
    }

    /** A readable chain of authority from the root, indented; ids and names only. */
    static String describe(BoundContext context) {
        Deque<BoundContext> chain = new ArrayDeque<>();
        for (BoundContext c = context; c != null; c = aboveOf(c)) {
            chain.push(c);
        }
        StringBuilder text = new StringBuilder("application ")
                .append(context.applicationId())
                .append(" in zone ")
                .append(context.zoneId());
        if (context.envelope().authorityRecordId() != null) {
            text.append(", for the user of authority record ")
                    .append(context.envelope().authorityRecordId());
        }
        String indent = "\n";
        for (BoundContext c : chain) {
            indent += "  ";
            text.append(indent).append(c.hasAgentSession() ? "session " + c.agentSessionId() : "no session");
            line(text, c);
        }
        return text.toString();
    }

    private static @Nullable BoundContext aboveOf(BoundContext context) {
        Provenance provenance = context.provenance();
        return provenance == null ? null : provenance.above();
    }

    private static void line(StringBuilder text, BoundContext context) {
        String edge = context.envelope().delegationEdgeId();
        Provenance provenance = context.provenance();
        if (provenance instanceof Spawned spawned) {
            spawned(text, spawned, edge);
        } else if (provenance instanceof Issued issued) {
            IssuedDelegation delegation = issued.delegation();
            text.append(" shows delegation ")
                    .append(edge)
                    .append(", which it issued to session ")
                    .append(delegation.targetSessionId())
                    .append(" of application ")
                    .append(delegation.targetApplicationId())
                    .append(" for ")
                    .append(String.join(" ", delegation.scopes()));
        } else if (provenance instanceof Accepted) {
            text.append(" acts under delegation ").append(edge).append(", which it received");
        } else {
            text.append(provenance instanceof Received received ? received(received) : ", opened elsewhere");
            if (edge != null) {
                text.append(", acts under delegation ").append(edge);
            }
        }
    }

    private static String received(Received received) {
        if (received.bearer() == null) {
            return ", for a request without a caller";
        }
        return ", named by a request" + (received.mandate() != null ? " and proven" : " and not proven");
    }

    private static void spawned(StringBuilder text, Spawned spawned, @Nullable String edge) {
        if (!spawned.labels().isEmpty()) {
            text.append(" (").append(String.join(", ", spawned.labels())).append(')');
        }
        if (spawned.grant() instanceof GrantSpec.Narrow narrow) {
            text.append(" holds delegation ")
                    .append(edge == null ? "(not issued yet)" : edge)
                    .append(", narrowed to ")
                    .append(String.join(" ", narrow.scopes()));
            if (spawned.resource() != null) {
                text.append(" at ").append(spawned.resource());
            }
            if (!narrow.constraints().equals(ConstraintFields.NONE)) {
                text.append(" within DelegationConstraints")
                        .append(narrow.constraints().toMap());
            }
        } else if (edge != null) {
            text.append(" holds delegation ").append(edge).append(", inherited from its parent");
        } else if (spawned.grant() == GrantSpec.Whole.NONE) {
            text.append(spawned.above() == null ? " holds no authority" : " holds nothing of its parent's authority");
        } else if (spawned.above() == null) {
            text.append(" holds the application's authority");
        } else {
            text.append(" holds its parent's authority");
        }
    }
}
