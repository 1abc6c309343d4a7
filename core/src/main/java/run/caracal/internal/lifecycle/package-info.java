/** Scopes of held resources: each is ended exactly once. Not part of the API. */
@NullMarked
package run.caracal.internal.lifecycle;

import org.jspecify.annotations.NullMarked;
