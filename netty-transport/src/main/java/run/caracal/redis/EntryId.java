package run.caracal.redis;

import java.time.Duration;
import java.util.Comparator;

/** The id of a stream entry: when it was added, by the clock of Redis, and its number in that millisecond. */
record EntryId(long millis, long sequence) implements Comparable<EntryId> {
    static final EntryId FIRST = new EntryId(0, 0);

    private static final Comparator<EntryId> ORDER =
            Comparator.comparingLong(EntryId::millis).thenComparing(EntryId::sequence, Long::compareUnsigned);

    static EntryId of(String text) {
        int dash = text.indexOf('-');
        return new EntryId(Long.parseLong(text.substring(0, dash)), Long.parseUnsignedLong(text.substring(dash + 1)));
    }

    /** The first id of the time that began this long before. */
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
