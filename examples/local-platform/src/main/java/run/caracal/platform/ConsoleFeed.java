package run.caracal.platform;

import java.time.Duration;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;

/**
 * Sends a page the changes of the state. Polls the state, because much of it changes with time alone. A page that is not ready
 * skips a poll, and gets the difference to its last state at the next one, so that nothing is buffered for slow pages.
 */
final class ConsoleFeed {

    static final Duration LOOK = Duration.ofMillis(200);

    /** The number of polls without a change after which a page gets a keep-alive with the current time. */
    static final int QUIET_LOOKS = 50;

    private final ConsoleState.Source source;

    ConsoleFeed(ConsoleState.Source source) {
        this.source = source;
    }

    /** The last state of a page, and its message; none without a change. */
    private record Known(
            @Nullable ConsoleState state,
            int quiet,
            @Nullable Map<String, @Nullable Object> message) {}

    /**
     * The messages for one page, starting with the whole state.
     *
     * @param ready whether the page has read all messages
     */
    Flux<Map<String, @Nullable Object>> messages(BooleanSupplier ready) {
        Supplier<Known> nothing = () -> new Known(null, 0, null);
        return Flux.interval(Duration.ZERO, LOOK)
                .onBackpressureDrop()
                .filter(look -> ready.getAsBoolean())
                .scanWith(nothing, (known, look) -> next(known))
                .mapNotNull(Known::message);
    }

    private Known next(Known known) {
        ConsoleState before = known.state();
        ConsoleState state = source.now();
        if (before == null) {
            return new Known(state, 0, source.whole(state));
        }
        if (!state.shows(before) || known.quiet() == QUIET_LOOKS) {
            return new Known(state, 0, source.difference(before, state));
        }
        return new Known(before, known.quiet() + 1, null);
    }
}
