/**
 * The Caracal platform in one JVM: STS, Coordinator, Gateway, a protected API and an audit log, each on a port of its own and
 * all of their state in memory. It lets the example programs run, and tests prove themselves, with nothing installed.
 */
@NullMarked
package run.caracal.platform;

import org.jspecify.annotations.NullMarked;
