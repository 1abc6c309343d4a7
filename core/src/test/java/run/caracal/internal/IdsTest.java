package run.caracal.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.jspecify.annotations.Nullable;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.NullSource;
import org.junit.jupiter.params.provider.ValueSource;

class IdsTest {

    @ParameterizedTest
    @ValueSource(strings = {"a", "zone-1", "A.b:c_d-9", "...", ".a"})
    void takesIdentifiers(String id) {
        assertThat(Ids.require(id, "zoneId")).isEqualTo(id);
    }

    @ParameterizedTest
    @NullSource
    @ValueSource(strings = {"", ".", "..", " ", "a b", "a/b", "a\n", "\na", "a%2e", "\u00e4", "a\u0000"})
    void refusesWhatAPathWouldChange(@Nullable String id) {
        assertThatThrownBy(() -> Ids.require(id, "zoneId"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessage("zoneId: must match " + Ids.PATTERN + " and be neither \".\" nor \"..\"");
    }

    @ParameterizedTest
    @ValueSource(ints = {128, 129})
    void boundsTheLength(int length) {
        assertThat(Ids.isValid("a".repeat(length))).isEqualTo(length == 128);
    }
}
