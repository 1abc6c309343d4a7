package run.caracal.redis;

import io.lettuce.core.StreamMessage;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;

/** The entries of one stream. Used by one round at a time; every method is lazy, and an error ends the round. */
interface EntrySource {
    /** The batch size; a full batch means that there may be more entries. */
    int BATCH = 50;

    /** Prepares reading, at the start and after each error. */
    Mono<Void> open();

    /** The next entries; entries that were read and not {@link #done} are redelivered after an error. */
    Flux<StreamMessage<String, String>> next();

    /** Acknowledges an entry. */
    Mono<Void> done(StreamMessage<String, String> entry);

    /** Copies an invalid entry to the dead letters. */
    Mono<Void> bury(StreamMessage<String, String> entry, String reason);

    /** Whether later entries may be processed after one has failed. */
    boolean skips();

    /** The last known number of delivered entries that are not acknowledged. */
    long pending();
}
