package run.caracal.platform;

import java.time.Duration;
import java.util.Map;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Flux;

/**
 * Tells a page what changes. The state is looked at every so often instead of being told by those who change it, because
 * much of it changes by the passing of time alone; whoever is not ready when it is looked at misses that look, and learns
 * at the next one how the state differs from what it knows. Nothing is ever kept for a page that is slow.
 */
final class ConsoleFeed {

    static final Duration LOOK = Duration.ofMillis(200);

    /** After so many looks without a change the page is told that it is still connected, and what time it is. */
    static final int QUIET_LOOKS = 50;

    private final ConsoleState.Source source;

    ConsoleFeed(ConsoleState.Source source) {
        this.source = source;
    }

    /** The state that a page knows, and the message that brought it; none if there was nothing to tell. */
    private record Known(
            @Nullable ConsoleState state,
            int quiet,
            @Nullable Map<String, @Nullable Object> message) {}

    /**
     * The messages for one page, the first of them the whole state.
     *
     * @param ready whether the page has read all that it was sent
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
