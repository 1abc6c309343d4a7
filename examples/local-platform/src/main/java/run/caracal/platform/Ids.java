package run.caracal.platform;

import java.time.Instant;
import java.util.UUID;
import java.util.concurrent.ThreadLocalRandom;

/** Ids that need to be unique, not secret. */
final class Ids {

    private Ids() {}

    /** A UUID that sorts by time (version 7). */
    static String timeOrdered(Instant now) {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        long high = (now.toEpochMilli() << 16) | 0x7000L | random.nextInt(0x1000);
        return new UUID(high, variant(random.nextLong())).toString();
    }

    /** A random UUID (version 4). */
    static String random() {
        ThreadLocalRandom random = ThreadLocalRandom.current();
        long high = (random.nextLong() & ~0xF000L) | 0x4000L;
        return new UUID(high, variant(random.nextLong())).toString();
    }

    private static long variant(long bits) {
        return (bits & 0x3FFF_FFFF_FFFF_FFFFL) | 0x8000_0000_0000_0000L;
    }
}
