package run.caracal.examples.boot;

import java.io.PrintStream;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;
import org.springframework.web.reactive.function.client.WebClient;
import run.caracal.platform.LocalPlatform;

/** Runs the application on its own local platform, and places one order. */
public final class BootExample {
    private static final Duration LIMIT = Duration.ofSeconds(30);

    private BootExample() {}

    /**
     * Runs the program.
     *
     * @param out the output
     */
    public static void run(PrintStream out) {
        LocalPlatform platform = LocalPlatform.builder().start();
        List<String> properties = new ArrayList<>(List.of("--server.port=0"));
        platform.properties((name, value) -> properties.add("--" + name + "=" + value.get()));
        try (ConfigurableApplicationContext application = new SpringApplicationBuilder(BootApplication.class)
                .properties("spring.main.banner-mode=off")
                .run(properties.toArray(String[]::new))) {
            String port = application.getEnvironment().getRequiredProperty("local.server.port");
            String charged = WebClient.create("http://localhost:" + port)
                    .post()
                    .uri("/orders")
                    .bodyValue("{\"amount\": 1200}")
                    .retrieve()
                    .bodyToMono(String.class)
                    .block(LIMIT);
            out.println("order charged: " + charged);
            platform.audit()
                    .events()
                    .forEach(event -> out.println("audit " + event.eventType() + " " + event.decision()));
        } finally {
            out.println("sessions still open: " + platform.openSessionCount());
            platform.disposeLater().block(LIMIT);
        }
    }
}
