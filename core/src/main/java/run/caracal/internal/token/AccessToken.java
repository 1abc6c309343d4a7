package run.caracal.internal.token;

import java.util.Set;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.Headers;
import run.caracal.internal.MachineSleep;

/**
 * A bearer token and its lifetime. Compared by identity: a rejected token is dropped only while it is the current one.
 */
public final class AccessToken {
    private final String value;
    private final String authorization;
    private final @Nullable Set<String> targets;
    private final long refreshAtNanos;
    private final long expiresAtNanos;
    private final long sleepMark;

    /**
     * Creates a token.
     *
     * @param targets the resources it is good for; {@code null} when the STS did not say
     * @param refreshAtNanos when to fetch the next one, on the clock of {@link TokenCache}
     * @param expiresAtNanos when it stops being used, on the same clock
     * @param sleepMark the mark of {@link MachineSleep} when it was asked for
     */
    AccessToken(String value, @Nullable Set<String> targets, long refreshAtNanos, long expiresAtNanos, long sleepMark) {
        this.value = value;
        this.authorization = Headers.BEARER + value;
        this.targets = targets;
        this.refreshAtNanos = refreshAtNanos;
        this.expiresAtNanos = expiresAtNanos;
        this.sleepMark = sleepMark;
    }

    /** {@return the bearer} A secret: never log it. */
    public String value() {
        return value;
    }

    /**
     * {@return the bearer as it stands in an Authorization header; written once, because it is long; the value of the
     * header} A secret: never log it.
     */
    public String authorization() {
        return authorization;
    }

    /**
     * {@return whether the token was granted for a resource; {@code true} also when the STS did not name the granted
     * resources}
     */
    public boolean covers(String resource) {
        return targets == null || targets.contains(resource);
    }

    long sleepMark() {
        return sleepMark;
    }

    boolean isExpired(long nowNanos) {
        return nowNanos - expiresAtNanos >= 0;
    }

    boolean isStale(long nowNanos) {
        return nowNanos - refreshAtNanos >= 0;
    }

    @Override
    public String toString() {
        return "AccessToken[***]";
    }
}
