/**
 * Helpers that any package of the SDK may use: header names, ids, logger names, the sleep of the machine. They know no other
 * package of the SDK, and none of it is part of the API.
 */
@NullMarked
package run.caracal.internal;

import org.jspecify.annotations.NullMarked;
