package run.caracal.internal.config;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.attribute.PosixFilePermissions;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class ConfigFilesTest {
    @ParameterizedTest
    @CsvSource({
        "rw-------, true, true",
        "r--------, true, true",
        "rwx------, true, true",
        "r--r-----, false, true",
        "rw-r--r--, false, true",
        "r--r--r--, false, true",
        "rw-rw----, false, false",
        "rw----rw-, false, false",
        "rwxr-x---, false, false",
        "rwx-----x, false, false"
    })
    void othersThanTheOwnerMayReadAtMost(String permissions, boolean ordinarily, boolean whereOthersMayRead) {
        assertThat(ConfigFiles.isPrivate(PosixFilePermissions.fromString(permissions), false))
                .isEqualTo(ordinarily);
        assertThat(ConfigFiles.isPrivate(PosixFilePermissions.fromString(permissions), true))
                .isEqualTo(whereOthersMayRead);
    }
}
