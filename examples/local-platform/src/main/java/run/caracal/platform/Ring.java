package run.caracal.platform;

import java.util.ArrayDeque;
import java.util.List;

/** The latest entries, up to a capacity. */
final class Ring<T> {

    private final int capacity;
    private final ArrayDeque<T> entries = new ArrayDeque<>();

    Ring(int capacity) {
        this.capacity = capacity;
    }

    synchronized void add(T entry) {
        if (entries.size() == capacity) {
            entries.removeFirst();
        }
        entries.addLast(entry);
    }

    synchronized void clear() {
        entries.clear();
    }

    synchronized List<T> snapshot() {
        return List.copyOf(entries);
    }
}
