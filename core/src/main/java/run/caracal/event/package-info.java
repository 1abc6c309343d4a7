/**
 * Events of the SDK's own work, one for each operation of the control plane, as records. They hold no token and no secret.
 */
@NullMarked
package run.caracal.event;

import org.jspecify.annotations.NullMarked;
