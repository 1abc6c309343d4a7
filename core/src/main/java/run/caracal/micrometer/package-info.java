/**
 * Meters and observations for Micrometer. Needs {@code io.micrometer:micrometer-core}, or {@code
 * io.micrometer:micrometer-observation} for the observations alone; nothing else of the SDK does.
 */
@NullMarked
package run.caracal.micrometer;

import org.jspecify.annotations.NullMarked;
