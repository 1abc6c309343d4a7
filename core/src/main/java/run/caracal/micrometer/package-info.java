/**
 * Meters, observations and traces for Micrometer. Needs {@code io.micrometer:micrometer-core},
 * {@code io.micrometer:micrometer-observation} for the observations, and {@code io.micrometer:micrometer-tracing} for
 * the trace source.
 */
@NullMarked
package run.caracal.micrometer;

import org.jspecify.annotations.NullMarked;
