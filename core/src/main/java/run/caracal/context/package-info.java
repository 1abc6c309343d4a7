/**
 * Shows the bound context to code that is not reactive, with Micrometer's context propagation. Needs {@code
 * io.micrometer:context-propagation} on the class path; nothing else of the SDK does.
 */
@NullMarked
package run.caracal.context;

import org.jspecify.annotations.NullMarked;
