package run.caracal.internal;

import java.util.Objects;

/** The name under which the SDK calls the services of the platform. */
public final class UserAgent {
    public static final String HEADER = "User-Agent";

    /**
     * The value, such as {@code caracal-sdk-java/1.2.3}, with the version of the jar's manifest, which the class loader
     * has already read: the first call may run on an event loop.
     */
    public static final String VALUE = "caracal-sdk-java/"
            + Objects.requireNonNullElse(UserAgent.class.getPackage().getImplementationVersion(), "dev");

    private UserAgent() {}
}
