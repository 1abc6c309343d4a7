package run.caracal.internal.mandate;

import java.time.Duration;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.util.context.Context;
import run.caracal.config.CaracalConfig;
import run.caracal.internal.context.HelperSession;
import run.caracal.internal.context.HelperSession.Held;
import run.caracal.internal.context.Session;
import run.caracal.internal.lifecycle.ClientState;
import run.caracal.internal.lifecycle.Scope;
import run.caracal.internal.session.SessionRunner;
import run.caracal.internal.session.SessionSpec;

/**
 * The authority of the application itself, for calls outside of the caller's sessions: a root session of the SDK
 * delegates to a child, and the child acts. All calls of one need share both. Concurrent callers share the opening,
 * which no cancellation stops; failures are not cached. Both are closed with the client.
 */
public final class ApplicationSessions {
    /** The maximum number of needs; with two sessions each, 18 of a zone's 50 are left for others. */
    public static final int MAX_HELD = 16;

    /** The default TTL of a mandate, as on the platform. */
    public static final Duration MANDATE_TTL = Duration.ofSeconds(900);

    /** The life of the sessions beyond that of a mandate. */
    static final Duration BEYOND_MANDATE = Duration.ofSeconds(120);

    private final CaracalConfig config;
    private final SessionRunner sessions;
    private final HelperSessions helpers;
    private final Scope client;
    private final Scheduler timer;

    /** The most recently used last; guarded by itself. */
    private final Map<Need, Provision> held = new LinkedHashMap<>(MAX_HELD, 0.75f, true);

    public ApplicationSessions(
            CaracalConfig config, SessionRunner sessions, HelperSessions helpers, Scope client, Scheduler timer) {
        this.config = config;
        this.sessions = sessions;
        this.helpers = helpers;
        this.client = client;
        this.timer = timer;
    }

    /**
     * The key of the authority.
     *
     * @param labels the labels of both sessions; none for the application id
     * @param subject the authority record of the user, or {@code null}
     */
    public record Need(
            String resource,
            List<String> scopes,
            List<String> labels,
            Duration mandateTtl,
            @Nullable String subject) {
        /** Sorts the scopes. */
        public Need {
            scopes = List.copyOf(new TreeSet<>(scopes));
        }
    }

    /** The obtained authority, and the end of its session. */
    private record Obtained(Held held, Mono<Void> end) {}

    private record Source(Session session, Mono<Void> end) {}

    private final class Provision {
        /** Runs to completion even if its callers cancel, so that nothing is left half open. */
        private final Mono<Obtained> flight;

        private volatile @Nullable Obtained obtained;

        Provision(Need need) {
            this.flight = provide(need)
                    // Before the waiters are signalled.
                    .doOnNext(done -> obtained = done)
                    .doOnError(failure -> forget(need, this))
                    // Shared, so it must not see one caller's Context.
                    .contextWrite(anyCaller -> Context.empty())
                    .cache();
        }

        private boolean isOver() {
            Obtained done = obtained;
            return done != null && done.held().isOver();
        }
    }

    /** Obtains the authority, and replaces one that is about to expire or has ended. */
    Mono<Held> obtain(Need need) {
        return Mono.defer(() -> client.isClosed()
                ? Mono.error(ClientState.closedError())
                : current(need).flight.map(Obtained::held));
    }

    private Provision current(Need need) {
        List<Provision> replaced = new ArrayList<>(1);
        Provision current;
        synchronized (held) {
            current = held.get(need);
            if (current == null || current.isOver()) {
                if (current != null) {
                    replaced.add(current);
                }
                current = new Provision(need);
                held.put(need, current);
                if (held.size() > MAX_HELD) {
                    Iterator<Provision> eldest = held.values().iterator();
                    replaced.add(eldest.next());
                    eldest.remove();
                }
            }
        }
        replaced.forEach(this::retire);
        return current;
    }

    private void forget(Need need, Provision failed) {
        synchronized (held) {
            held.remove(need, failed);
        }
    }

    /** Waits for an opening in flight. */
    private void retire(Provision provision) {
        var unused = provision.flight.subscribe(done -> HelperSession.retireLater(done.end(), timer), failed -> {});
    }

    private Mono<Obtained> provide(Need need) {
        return Mono.defer(() -> {
            Duration ttl = need.mandateTtl().plus(BEYOND_MANDATE);
            SessionSpec spec =
                    SessionSpec.holdingAuthority("application", helpers.named(need.labels()), ttl, need.subject());
            return sessions.handOver(spec, Source::new)
                    .flatMap(source -> helpers.obtain(
                                    source.session(), need.resource(), need.scopes(), need.labels(), ttl)
                            .map(obtained -> new Obtained(obtained, source.end()))
                            // Ends the session before the error is signalled, as for a child that cannot be narrowed.
                            .onErrorResume(failure -> source.end()
                                    .onErrorComplete()
                                    .timeout(config.closeTimeout(), Mono.empty())
                                    .then(Mono.error(failure))));
        });
    }
}
