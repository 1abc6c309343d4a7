package run.caracal.internal.session;

import java.time.Duration;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;

/**
 * How a service agent is opened.
 *
 * @param session the options shared with tasks; the TTL is not used
 * @param heartbeatInterval the interval of renewals in the background; {@code null} for none
 * @param status what the renewals say of the service; {@code null} for {@code healthy}
 * @param reopen the first pause of a daemon before it begins again; {@code null} for what ends with its service
 */
public record ServiceSpec(
        SessionSpec session,
        @Nullable Duration heartbeatInterval,
        @Nullable Supplier<Mono<String>> status,
        @Nullable Duration reopen) {
    ServiceSpec withSession(SessionSpec other) {
        return new ServiceSpec(other, heartbeatInterval, status, reopen);
    }
}
