package run.caracal.http;

import java.util.Objects;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/** How a decorated client gives requests their identity (DESIGN H1, H2). Immutable. */
public final class TransportOptions {
    private static final TransportOptions DEFAULTS = new TransportOptions(null, false);

    private final @Nullable Propagation propagation;
    private final boolean asApplication;

    private TransportOptions(@Nullable Propagation propagation, boolean asApplication) {
        this.propagation = propagation;
        this.asApplication = asApplication;
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
     * Limits where identity goes, instead of the configuration's policy.
     *
     * @param propagation the policy
     * @return options with this policy
     */
    public TransportOptions withPropagation(Propagation propagation) {
        return new TransportOptions(Objects.requireNonNull(propagation, "propagation"), asApplication);
    }

    /**
     * Lets requests outside every session act as the application itself, instead of failing. For trusted service-root
     * calls only; inside a session the session's context is sent all the same.
     *
     * @return options that allow it
     */
    public TransportOptions withAsApplication() {
        return asApplication ? this : new TransportOptions(propagation, true);
    }

    /**
     * Where identity goes.
     *
     * @return the policy; empty for the configuration's
     */
    public Optional<Propagation> propagation() {
        return Optional.ofNullable(propagation);
    }

    /**
     * Whether requests outside every session act as the application.
     *
     * @return {@code false} by default: then such a request fails and is not sent
     */
    public boolean asApplication() {
        return asApplication;
    }

    @Override
    public String toString() {
        return "TransportOptions[propagation=" + propagation + ", asApplication=" + asApplication + "]";
    }
}
