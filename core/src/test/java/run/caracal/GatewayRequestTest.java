package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Map;
import org.junit.jupiter.api.Test;

class GatewayRequestTest {

    @Test
    void carriesExactlyTheResourceHeader() {
        GatewayRequest request = new GatewayRequest("resource://api", "https://gw.example.com/x");

        assertThat(request.headers()).containsExactly(Map.entry("X-Caracal-Resource", "resource://api"));
    }

    @Test
    void refusesOtherHeaders() {
        assertThatThrownBy(() -> new GatewayRequest("r", "https://gw.example.com", Map.of("Authorization", "x")))
                .isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> new GatewayRequest("r", "https://gw.example.com", Map.of("X-Caracal-Resource", "s")))
                .isInstanceOf(IllegalArgumentException.class);
    }
}
