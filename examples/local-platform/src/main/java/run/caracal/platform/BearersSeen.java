package run.caracal.platform;

/**
 * The mandates that the Gateway saw for one call since it started, however few of its requests are remembered.
 *
 * @param distinct how many different ones were presented
 * @param repeated how often one was presented that had been before
 */
public record BearersSeen(long distinct, long repeated) {}
