package run.caracal.http;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.config.Rules;

/** How a decorated client attaches identity to requests. Immutable. */
public final class TransportOptions {
    private static final TransportOptions DEFAULTS = new TransportOptions(null, false, List.of(), List.of());

    private final @Nullable Propagation propagation;
    private final boolean asApplication;
    private final List<String> scopes;
    private final List<String> labels;

    private TransportOptions(
            @Nullable Propagation propagation, boolean asApplication, List<String> scopes, List<String> labels) {
        this.propagation = propagation;
        this.asApplication = asApplication;
        this.scopes = scopes;
        this.labels = labels;
    }

    /**
     * {@return the default options: the configured propagation, and no request to a resource without a bound context}
     */
    public static TransportOptions defaults() {
        return DEFAULTS;
    }

    /** Sets which requests carry identity, overriding the configuration. */
    public TransportOptions withPropagation(Propagation propagation) {
        return new TransportOptions(Objects.requireNonNull(propagation, "propagation"), asApplication, scopes, labels);
    }

    /**
     * Lets requests outside a session act as the application itself, instead of failing. For trusted service-root calls
     * only; inside a session the session acts.
     *
     * <p>With scopes, such a request to the Gateway carries a one-shot mandate too. The platform mints only for
     * sessions with a delegation, so the SDK opens two shared sessions and a delegation between them, see {@link
     * run.caracal.Caracal#applicationTransport(String, List, run.caracal.ApplicationOptions)}.
     */
    public TransportOptions withAsApplication() {
        return asApplication ? this : new TransportOptions(propagation, true, scopes, labels);
    }

    /**
     * Sets the scopes of requests, overriding the grant and the configuration. Each request to the Gateway then carries
     * its own one-shot mandate; other requests are not affected.
     *
     * @param scopes at least one
     * @throws IllegalArgumentException if there is none, or one is malformed
     */
    public TransportOptions withScopes(String... scopes) {
        List<String> wanted = Arrays.asList(scopes);
        return new TransportOptions(
                propagation, asApplication, checked("scopes", wanted, Rules.callScopes(wanted)), labels);
    }

    /**
     * Sets the labels of the sessions that hold the authority if the bound session has no delegation, or the
     * application itself acts. One of them must be the application id, or a role of the resource's grant that has the
     * scopes.
     *
     * @param labels up to 32 labels of 1 to 64 characters each; none for the application id
     * @throws IllegalArgumentException if a label is malformed
     */
    public TransportOptions withLabels(String... labels) {
        List<String> wanted = Arrays.asList(labels);
        return new TransportOptions(
                propagation, asApplication, scopes, checked("labels", wanted, Rules.labels(wanted)));
    }

    private static List<String> checked(String field, List<String> values, @Nullable String fault) {
        Rules.require(field, fault);
        return List.copyOf(values);
    }

    /** {@return the scopes; an immutable list, empty for those of the session's grant, else the configured ones} */
    public List<String> scopes() {
        return scopes;
    }

    /** {@return the labels of sessions opened on demand; an immutable list, empty for the application id} */
    public List<String> labels() {
        return labels;
    }

    /** {@return the propagation; empty for the configured one, {@link Propagation#resources()} by default} */
    public Optional<Propagation> propagation() {
        return Optional.ofNullable(propagation);
    }

    /** {@return whether requests outside a session act as the application; {@code false} by default: they fail} */
    public boolean asApplication() {
        return asApplication;
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof TransportOptions that
                && Objects.equals(propagation, that.propagation)
                && asApplication == that.asApplication
                && scopes.equals(that.scopes)
                && labels.equals(that.labels);
    }

    @Override
    public int hashCode() {
        return Objects.hash(propagation, asApplication, scopes, labels);
    }

    @Override
    public String toString() {
        return "TransportOptions[propagation=" + propagation + ", asApplication=" + asApplication + ", scopes=" + scopes
                + ", labels=" + labels + "]";
    }
}
