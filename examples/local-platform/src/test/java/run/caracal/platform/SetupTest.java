package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Properties;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import run.caracal.platform.Http.Result;

/** The set-up of a platform from a file and from options. */
final class SetupTest {

    private static final String SHARED = """
            zone = "zone-team"
            limits = "off"

            [[applications]]
            id = "app-orders"
            secret = "orders-secret"

            [[applications]]
            id = "app-ledger"

            [[resources]]
            id = "resource://ledger"
            scopes = ["ledger:read", "ledger:write"]
            owner = "app-ledger"
            upstream = "http://127.0.0.1:9000/ledger"
            operations = ["GET /entries"]
            roles = { clerk = ["ledger:read"] }
            approvals = { high = ["ledger:write"] }
            """;

    @Test
    void aFileSaysWhatThePlatformIsMadeOf(@TempDir Path directory) throws IOException {
        Path file = Files.writeString(directory.resolve("platform.toml"), SHARED);
        LocalPlatform platform =
                LocalPlatform.builder().setup(file.toString()).inProcess().start();
        assertThat(platform.zoneId()).isEqualTo("zone-team");
        assertThat(platform.applicationId()).isEqualTo("app-orders");
        assertThat(platform.clientSecret()).isEqualTo("orders-secret");
        assertThat(platform.config("app-ledger").applicationId()).isEqualTo("app-ledger");
        // It belongs to the other application.
        assertThat(platform.resourcePrefixes()).doesNotContainKey("resource://ledger");
        platform.disposeLater().block(Duration.ofSeconds(5));
    }

    @Test
    void allFaultsAreToldAtOnceWithTheirLines() {
        String broken = """
                zone = "no zone"
                limits = "of"
                colour = "red"

                [[applications]]
                secret = "x"

                [[resources]]
                id = "resource://ledger"
                scopes = "ledger:read"
                owner = "app-nobody"
                upstream = "ledger"
                operations = ["GET"]
                """;
        assertThatThrownBy(() -> Setup.apply("platform.toml", broken, LocalPlatform.builder()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContainingAll(
                        "platform.toml",
                        "line 1: 'no zone'",
                        "line 2: limits is one of",
                        "line 3: unknown key colour",
                        "line 5: an application has no id",
                        "line 10: scopes must be a list",
                        "line 11: there is no application app-nobody",
                        "line 12: 'ledger' is no absolute http URL",
                        "line 13: 'GET' is no operation");
    }

    @Test
    void aFileThatIsNoTomlNamesItsLine() {
        assertThatThrownBy(() -> Setup.apply("platform.toml", "zone = \"a\"\nports = = 3\n", LocalPlatform.builder()))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("line 2");
    }

    @Test
    void aMissingFileIsNamed() {
        assertThatThrownBy(() -> LocalPlatform.builder().setup("no-such.toml"))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("no-such.toml");
    }

    @Test
    void theProgramTakesASecretAndRefusesWhatItDoesNotKnow() {
        Properties options = new Properties();
        options.setProperty("platform.secret", "team-secret");
        options.setProperty("platform.limits", "off");
        LocalPlatform platform =
                LocalPlatformProgram.options(options).inProcess().start();
        assertThat(platform.clientSecret()).isEqualTo("team-secret");
        platform.disposeLater().block(Duration.ofSeconds(5));
        options.setProperty("platform.ports", "standart");
        assertThatThrownBy(() -> LocalPlatformProgram.options(options))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("-Dplatform.ports=standart");
    }

    @Test
    void theStateIsListedAndResetOverHttpForThisMachineAlone() {
        LocalPlatform platform = LocalPlatform.builder().start();
        var control = Control.start(platform, 0).blockOptional().orElseThrow();
        String url = "http://127.0.0.1:" + control.port();
        String bearer = Http.token(platform);
        Result opened = Http.agents(platform, bearer, "POST", "", Http.json("application_id", "app-local"));
        assertThat(opened.status()).isEqualTo(201);

        Result state = Http.get(url + "/state");
        assertThat(state.body())
                .contains(opened.text("agent_session_id"))
                .doesNotContain(platform.clientSecret())
                .doesNotContain(bearer);
        assertThat(Http.send("POST", url + "/reset", null, Map.of("Origin", "http://elsewhere.example"))
                        .status())
                .isEqualTo(403);
        assertThat(platform.openSessionCount()).isEqualTo(1);
        assertThat(Http.send("POST", url + "/reset", null, Map.of()).status()).isEqualTo(204);
        assertThat(platform.openSessionCount()).isZero();
        assertThat(Http.agents(platform, bearer, "POST", "", Http.json("application_id", "app-local"))
                        .status())
                .as("a token of before the reset stays good")
                .isEqualTo(201);
        control.disposeNow();
        platform.disposeLater().block(Duration.ofSeconds(5));
    }
}
