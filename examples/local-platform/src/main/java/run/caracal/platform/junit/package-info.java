/**
 * The local platform in tests with JUnit Jupiter 6: {@link run.caracal.platform.junit.CaracalPlatform} on a test class, or a
 * registered {@link run.caracal.platform.junit.CaracalPlatformExtension}. Needs the artifact {@code
 * org.junit.jupiter:junit-jupiter-api}.
 */
@NullMarked
package run.caracal.platform.junit;

import org.jspecify.annotations.NullMarked;
