/**
 * Scopes of held resources, each of which is ended exactly once: on completion, error, cancel and close. Callers pass the
 * functions that open and end a resource; nothing here knows sessions.
 */
@NullMarked
package run.caracal.internal.lifecycle;

import org.jspecify.annotations.NullMarked;
