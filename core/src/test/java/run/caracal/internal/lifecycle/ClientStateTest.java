package run.caracal.internal.lifecycle;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import org.junit.jupiter.api.Test;
import run.caracal.error.ClosedException;

class ClientStateTest {
    private final ClientState state = new ClientState();

    @Test
    void isOpenUntilItIsClosed() {
        assertThat(state.isClosed()).isFalse();
        state.requireOpen();
        state.close();
        assertThat(state.isClosed()).isTrue();
        assertThatThrownBy(state::requireOpen)
                .isInstanceOf(ClosedException.class)
                .hasMessageContaining("create a new one");
    }
}
