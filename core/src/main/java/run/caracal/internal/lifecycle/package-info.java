/** What lives is ended exactly once: scopes of held resources. Not part of the API. */
@NullMarked
package run.caracal.internal.lifecycle;

import org.jspecify.annotations.NullMarked;
