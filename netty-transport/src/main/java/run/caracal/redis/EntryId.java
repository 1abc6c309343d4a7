package run.caracal.redis;

import java.time.Duration;
import java.util.Comparator;

/** The id of a stream's entry: when it was added, by the clock of Redis, and which of that millisecond it is. */
record EntryId(long millis, long sequence) implements Comparable<EntryId> {
    static final EntryId FIRST = new EntryId(0, 0);

    private static final Comparator<EntryId> ORDER =
            Comparator.comparingLong(EntryId::millis).thenComparing(EntryId::sequence, Long::compareUnsigned);

    static EntryId of(String text) {
        int dash = text.indexOf('-');
        return new EntryId(Long.parseLong(text.substring(0, dash)), Long.parseUnsignedLong(text.substring(dash + 1)));
    }

    /** The id that no entry of the time before has. */
    EntryId before(Duration time) {
        return new EntryId(Math.max(0, millis - time.toMillis()), 0);
    }

    @Override
    public int compareTo(EntryId other) {
        return ORDER.compare(this, other);
    }

    @Override
    public String toString() {
        return millis + "-" + Long.toUnsignedString(sequence);
    }
}
