/** Benchmarks against the budgets of the SDK and against comparable libraries; compiled by their Maven profile only. */
@NullMarked
package run.caracal.bench;

import org.jspecify.annotations.NullMarked;
