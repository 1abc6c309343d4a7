package run.caracal.platform;

/**
 * The mandates presented at the Gateway since the start, including those of requests that are no longer stored.
 *
 * @param distinct the number of different mandates
 * @param repeated the number of repeated presentations
 */
public record BearersSeen(long distinct, long repeated) {}
