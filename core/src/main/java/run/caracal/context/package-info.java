/**
 * Shows the bound context to code that is not reactive, with Micrometer's context propagation (DESIGN C3). Needs {@code
 * io.micrometer:context-propagation} on the class path; nothing else of the SDK does.
 */
@NullMarked
package run.caracal.context;

import org.jspecify.annotations.NullMarked;
