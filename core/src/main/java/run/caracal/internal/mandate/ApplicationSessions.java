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
 * Authority of the application itself, for calls that no session of the caller's makes: a root session of the SDK's own
 * delegates to a child of it, and the child acts. Both serve all calls of one need. Concurrent callers
 * share the opening, which no cancellation stops; failures are not cached. The client ends both when it is closed.
 */
public final class ApplicationSessions {
    /** How many needs are held at once: the two sessions of each leave 18 of a zone's 50 to others. */
    public static final int MAX_HELD = 16;

    /** How long a mandate lives when nothing else is said, as on the platform. */
    public static final Duration MANDATE_TTL = Duration.ofSeconds(900);

    /** How much longer than a mandate its sessions live. */
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
     * All that the authority depends on.
     *
     * @param labels the labels of both sessions; none for the application id
     * @param subject the authority record of the user for whom it is, or {@code null}
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
        /** Runs to its end whoever leaves: a cancellation leaves nothing half open. */
        private final Mono<Obtained> flight;

        private volatile @Nullable Obtained obtained;

        Provision(Need need) {
            this.flight = provide(need)
                    // Before the waiters hear of it.
                    .doOnNext(done -> obtained = done)
                    .doOnError(failure -> forget(need, this))
                    // It is nobody's own: no caller's Context reaches it.
                    .contextWrite(anyCaller -> Context.empty())
                    .cache();
        }

        private boolean isOver() {
            Obtained done = obtained;
            return done != null && done.held().isOver();
        }
    }

    /** Obtains the authority; what is about to end, or is known to have ended, is replaced. */
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

    /** One that is still being provided is waited for. */
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
                            // As with a child that cannot be narrowed, its end comes before the error.
                            .onErrorResume(failure -> source.end()
                                    .onErrorComplete()
                                    .timeout(config.closeTimeout(), Mono.empty())
                                    .then(Mono.error(failure))));
        });
    }
}
