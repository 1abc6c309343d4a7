package run.caracal.redis;

import io.lettuce.core.StreamMessage;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/**
 * Where the entries of one stream come from. Used by one round at a time; every method is lazy, and an error ends the round.
 */
interface EntrySource {
    /** How many entries are read at a time; so many together tell that there may be more. */
    int BATCH = 50;

    /** Prepares reading: first, and again after each error. */
    Mono<Void> open();

    /** The next entries; those that were read and not {@link #done} come again after an error. */
    Flux<StreamMessage<String, String>> next();

    /** An entry is dealt with. */
    Mono<Void> done(StreamMessage<String, String> entry);

    /** Keeps an entry that can have no effect for whoever looks for its cause. */
    Mono<Void> bury(StreamMessage<String, String> entry, String reason);

    /** Whether an entry may be dealt with although one before it could not be. */
    boolean skips();

    /** How many entries were read by anybody and are not done, as far as it is known. */
    long pending();
}
