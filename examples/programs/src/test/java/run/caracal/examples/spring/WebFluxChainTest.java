package run.caracal.examples.spring;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.assertj.core.api.InstanceOfAssertFactories;
import org.junit.jupiter.api.Test;
import redis.embedded.RedisServer;

/** Three applications in a row, run as a user runs them. */
class WebFluxChainTest {
    private static final Pattern OPENED = Pattern.compile("agent session (\\S+) opened, trace ([0-9a-f]{32})");
    private static final Pattern AUDIT = Pattern.compile("audit (\\S+) allow (\\S+) (orders|ledger)");
    private static final Pattern REFUSED = Pattern.compile("ledger refuses the mandate with 401 after (\\d+) ms");

    @Test
    void eachHopIsProvenAuditedAndInOneTrace() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        WebFluxChain.run(new PrintStream(bytes, true, StandardCharsets.UTF_8));
        List<String> lines = bytes.toString(StandardCharsets.UTF_8).lines().toList();

        Matcher opened = OPENED.matcher(lines.get(0));
        assertThat(opened.matches()).as("%s", lines).isTrue();
        String trace = opened.group(2);
        // The agent's plain session obtains its authority for orders from a session of its own; then it is the orders'
        // turn.
        assertThat(lines.get(2))
                .startsWith("orders let in app-agent > app-agent in session ")
                .endsWith(", trace " + trace);
        assertThat(lines.get(3))
                .startsWith("ledger let in app-agent > app-orders in session ")
                .endsWith(", trace " + trace);
        assertThat(lines)
                .contains("gateway 200 appended", "agent session closed")
                .endsWith("sessions still open: 0");
        assertAudited(lines, "orders");
        assertAudited(lines, "ledger");
    }

    /** The platform would make no other; the one of before is refused by the service itself, which heard of it over Redis. */
    @Test
    void whatIsRevokedAtTheCoordinatorIsRefusedByTheThirdServiceWithinASecond() throws IOException {
        int port = freePort();
        RedisServer redis =
                RedisServer.newRedisServer().port(port).bind("127.0.0.1").build();
        redis.start();
        try {
            ByteArrayOutputStream bytes = new ByteArrayOutputStream();
            WebFluxChain.run(new PrintStream(bytes, true, StandardCharsets.UTF_8), "redis://127.0.0.1:" + port);
            List<String> lines = bytes.toString(StandardCharsets.UTF_8).lines().toList();

            assertThat(lines)
                    .containsSubsequence(
                            "gateway 200 appended",
                            "ledger answers its last mandate with 200",
                            "agent revoked its delegation",
                            "agent session closed")
                    .endsWith("sessions still open: 0");
            assertThat(lines.stream()
                            .map(REFUSED::matcher)
                            .filter(Matcher::matches)
                            .map(line -> Integer.parseInt(line.group(1))))
                    .as("%s", lines)
                    .singleElement()
                    .asInstanceOf(InstanceOfAssertFactories.INTEGER)
                    .isLessThan(1_000);
        } finally {
            redis.stop();
        }
    }

    private static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    /** Mint, use and action under one request id. */
    private static void assertAudited(List<String> lines, String hop) {
        List<Matcher> audited = lines.stream()
                .map(AUDIT::matcher)
                .filter(line -> line.matches() && line.group(3).equals(hop))
                .toList();
        assertThat(audited)
                .extracting(line -> line.group(1))
                .containsExactly("token_exchange", "token_exchange", "gateway_resource_request");
        assertThat(audited)
                .extracting(line -> line.group(2))
                .containsOnly(audited.get(0).group(2));
    }
}
