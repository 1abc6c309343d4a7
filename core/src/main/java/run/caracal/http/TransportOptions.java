package run.caracal.http;

import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.config.Rules;

/** How a decorated client gives requests their identity. Immutable. */
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
     * The options of a plain decorated client: the configuration's propagation, and no request without a bound context.
     *
     * @return options with every default
     */
    public static TransportOptions defaults() {
        return DEFAULTS;
    }

    /**
     * Says where identity goes, instead of the configuration.
     *
     * @param propagation the policy
     * @return options with this policy
     */
    public TransportOptions withPropagation(Propagation propagation) {
        return new TransportOptions(Objects.requireNonNull(propagation, "propagation"), asApplication, scopes, labels);
    }

    /**
     * Lets requests outside every session act as the application itself, instead of failing. For trusted service-root
     * calls only; inside a session the session's context is sent all the same.
     *
     * <p>With scopes such a request to the Gateway carries a one-shot mandate as well. The platform mints for delegated
     * sessions only, so two sessions and a delegation between them are opened for it and shared, as {@link
     * run.caracal.Caracal#applicationTransport(String, List, run.caracal.ApplicationOptions)} describes.
     *
     * @return options that allow it
     */
    public TransportOptions withAsApplication() {
        return asApplication ? this : new TransportOptions(propagation, true, scopes, labels);
    }

    /**
     * Says which scopes the requests need, whatever the grant and the configuration say. Each request to the Gateway then
     * carries a one-shot mandate for its resource, minted for it alone. Other requests are not concerned.
     *
     * @param scopes the scopes, at least one
     * @return options with these scopes
     * @throws IllegalArgumentException if there is none, or one that no call can have
     */
    public TransportOptions withScopes(String... scopes) {
        List<String> wanted = Arrays.asList(scopes);
        return new TransportOptions(
                propagation, asApplication, checked("scopes", wanted, Rules.callScopes(wanted)), labels);
    }

    /**
     * Sets the labels of the sessions that are opened to hold the authority when the bound session has no delegation of its
     * own, or when the application itself acts. On the platform a label has to be the application id, or a role that the resource's grant knows and that has the scopes.
     *
     * @param labels up to 32 labels of 1 to 64 characters each; none for the application id
     * @return options with these labels
     * @throws IllegalArgumentException if one is no label
     */
    public TransportOptions withLabels(String... labels) {
        List<String> wanted = Arrays.asList(labels);
        return new TransportOptions(
                propagation, asApplication, scopes, checked("labels", wanted, Rules.labels(wanted)));
    }

    private static List<String> checked(String field, List<String> values, @Nullable String fault) {
        if (fault != null) {
            throw new IllegalArgumentException(field + ": " + fault);
        }
        return List.copyOf(values);
    }

    /**
     * {@return which scopes the requests need; an immutable list; empty for those of the session's grant, else those of
     * the configuration}
     */
    public List<String> scopes() {
        return scopes;
    }

    /**
     * {@return the labels of the sessions that are opened to hold the authority; an immutable list, empty for the
     * application id}
     */
    public List<String> labels() {
        return labels;
    }

    /**
     * {@return where identity goes; the policy; empty for the configuration's, which is {@link Propagation#resources()}
     * unless chosen}
     */
    public Optional<Propagation> propagation() {
        return Optional.ofNullable(propagation);
    }

    /**
     * {@return whether requests outside every session act as the application; {@code false} by default: then such a
     * request fails and is not sent}
     */
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
