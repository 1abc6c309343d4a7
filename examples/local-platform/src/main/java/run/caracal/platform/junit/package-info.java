/**
 * The local platform in tests with JUnit Jupiter 6: {@link run.caracal.platform.junit.CaracalPlatform} on a test
 * class, or a registered {@link run.caracal.platform.junit.CaracalPlatformExtension}. The artifact
 * {@code org.junit.jupiter:junit-jupiter-api} is the test's to bring.
 */
@NullMarked
package run.caracal.platform.junit;

import org.jspecify.annotations.NullMarked;
