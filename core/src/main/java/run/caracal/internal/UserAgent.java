package run.caracal.internal;

import java.util.Objects;

/** The name under which the SDK calls the services of the platform. */
public final class UserAgent {
    public static final String HEADER = "User-Agent";

    /**
     * Its value, such as {@code caracal-sdk-java/1.2.3}. The version is that of the jar's manifest, which the class loader has
     * read already: the first call may come on an event loop, where nothing may be read.
     */
    public static final String VALUE = "caracal-sdk-java/"
            + Objects.requireNonNullElse(UserAgent.class.getPackage().getImplementationVersion(), "dev");

    private UserAgent() {}
}
