/**
 * The client of Caracal: governed agent sessions as reactive resources, and the context that they bind. The package holds what
 * users name, as views and options; the engines behind it are internal.
 */
@NullMarked
package run.caracal;

import org.jspecify.annotations.NullMarked;
