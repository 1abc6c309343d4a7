package run.caracal.examples.boot;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.springframework.beans.factory.annotation.Value;
import org.springframework.boot.test.context.SpringBootTest;
import org.springframework.boot.test.context.SpringBootTest.WebEnvironment;
import org.springframework.test.annotation.DirtiesContext;
import org.springframework.test.context.DynamicPropertyRegistry;
import org.springframework.test.context.DynamicPropertySource;
import org.springframework.test.web.reactive.server.WebTestClient;
import run.caracal.platform.AuditEvent;
import run.caracal.platform.junit.CaracalPlatformExtension;

/** The Boot application on a local platform, as in a user's test. */
@DirtiesContext
@SpringBootTest(webEnvironment = WebEnvironment.RANDOM_PORT)
class BootApplicationTest {
    @RegisterExtension
    static final CaracalPlatformExtension caracal =
            CaracalPlatformExtension.builder().build();

    @DynamicPropertySource
    static void properties(DynamicPropertyRegistry registry) {
        caracal.properties(registry::add);
    }

    @Value("${local.server.port}")
    private int port;

    private WebTestClient application() {
        return WebTestClient.bindToServer().baseUrl("http://localhost:" + port).build();
    }

    @Test
    void anOrderIsChargedInASessionOfItsOwn() {
        String charged = application()
                .post()
                .uri("/orders")
                .bodyValue("{\"amount\": 1200}")
                .exchange()
                .expectStatus()
                .isOk()
                .expectBody(String.class)
                .returnResult()
                .getResponseBody();
        assertThat(charged).contains("\"status\":\"charged\"", "\"amount\":1200");
        assertThat(caracal.platform().audit().events())
                .extracting(AuditEvent::eventType)
                .contains("gateway_resource_request");
        assertThat(caracal.platform().totalOpened()).isPositive();
    }

    @Test
    void theProgramPrintsWhatHappened() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        BootExample.run(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        assertThat(bytes.toString(StandardCharsets.UTF_8))
                .contains("order charged: ", "audit gateway_resource_request allow", "sessions still open: 0");
    }
}
