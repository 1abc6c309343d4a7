/**
 * The client of Caracal: agent sessions as reactive resources, and the contexts that they bind. Contains user-facing
 * types and options; the engines behind them are internal.
 */
@NullMarked
package run.caracal;

import org.jspecify.annotations.NullMarked;
