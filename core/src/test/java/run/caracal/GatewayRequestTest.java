package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Map;
import org.junit.jupiter.api.Test;

class GatewayRequestTest {

    @Test
    void carriesExactlyTheResourceHeader() {
        GatewayRequest request = new GatewayRequest("resource://api", "https://gw.example.com/x");

        assertThat(request.headers()).containsExactly(Map.entry("X-Caracal-Resource", "resource://api"));
    }
}
