/**
 * Scopes of held resources, each of which is ended exactly once: on completion, error, cancel and close. What a resource is,
 * and how it is opened and ended, comes as functions; nothing here knows sessions.
 */
@NullMarked
package run.caracal.internal.lifecycle;

import org.jspecify.annotations.NullMarked;
