package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Assumptions;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * The platform serves a client that was not written here: the published Python SDK. Runs with
 * {@code -Dcaracal.python=PATH}, where PATH is a Python 3.12 or later that has caracalai-sdk 1.0.0 installed.
 */
final class PythonSdkTest {

    @Test
    void servesThePublishedPythonSdk(@TempDir Path directory) throws Exception {
        String python = python();
        LocalPlatform platform =
                LocalPlatform.builder().gatewayMode(GatewayMode.SESSION_TOKEN).start();
        try {
            String output = run(python, "python_sdk.py", platform, directory);

            assertThat(output)
                    .contains("session closed", "child closed", "gateway 200", "service active", "service closed");
            assertThat(platform.openSessionCount()).isZero();
            assertThat(platform.totalOpened()).isEqualTo(3);
            assertThat(platform.audit().events())
                    .extracting(AuditEvent::eventType)
                    .contains("token_exchange", "gateway_resource_request");
        } finally {
            platform.disposeLater().block(Duration.ofSeconds(5));
        }
    }

    @Test
    void servesItWithMandatesForOneCall(@TempDir Path directory) throws Exception {
        String python = python();
        LocalPlatform platform = LocalPlatform.builder().start();
        try {
            String output = run(python, "python_sdk_one_shot.py", platform, directory);

            assertThat(output.lines().filter(line -> line.startsWith("narrowed 200")))
                    .hasSize(2);
            assertThat(output.lines().filter(line -> line.startsWith("application 200")))
                    .hasSize(2);
            assertThat(output)
                    .contains(
                            "inherited 200 True",
                            "wider 403 delegation_exceeds_parent_authority",
                            "service active",
                            "done");
            assertThat(platform.openSessionCount()).isZero();
            assertThat(platform.received(Service.GATEWAY))
                    .extracting(request -> request.bearer().orElseThrow())
                    .hasSize(5)
                    .doesNotHaveDuplicates();
            assertThat(platform.audit().events())
                    .filteredOn(event -> event.eventType().equals("gateway_resource_request"))
                    .extracting(AuditEvent::evaluationStatus)
                    .hasSize(5)
                    .containsOnly("executed");
        } finally {
            platform.disposeLater().block(Duration.ofSeconds(5));
        }
    }

    @Test
    void servesItWithPeople(@TempDir Path directory) throws Exception {
        String python = python();
        LocalPlatform platform = LocalPlatform.builder()
                .resource(ProtectedResource.of("resource://billing-api", "billing:charge")
                        .withApproval("high"))
                .start();
        try {
            String output = run(python, "python_sdk_people.py", platform, directory);

            assertThat(output).contains("federated ", "decided 200 approved", "approved 200", "done");
            String user = output.lines()
                    .filter(line -> line.startsWith("federated "))
                    .map(line -> line.replaceAll("federated (\\S+) .*", "$1"))
                    .findFirst()
                    .orElseThrow();
            assertThat(platform.received(Service.COORDINATOR))
                    .filteredOn(request ->
                            request.method().equals("POST") && request.path().endsWith("/agents"))
                    .hasSize(2)
                    .allSatisfy(
                            request -> assertThat(request.body()).contains("\"subject_session_id\":\"" + user + "\""));
            assertThat(platform.audit().events())
                    .extracting(AuditEvent::eventType)
                    .containsSubsequence(
                            "step_up_issued", "step_up_decided", "step_up_consumed", "gateway_resource_request");
            assertThat(platform.bearersSeen()).isEqualTo(new BearersSeen(1, 0));
            assertThat(platform.openSessionCount()).isZero();
        } finally {
            platform.disposeLater().block(Duration.ofSeconds(5));
        }
    }

    private static String python() {
        String python = System.getProperty("caracal.python", "");
        Assumptions.assumeFalse(
                python.isEmpty(), "skipped: -Dcaracal.python names no Python with caracalai-sdk installed");
        return python;
    }

    private static String run(String python, String program, LocalPlatform platform, Path directory)
            throws IOException, InterruptedException {
        Path script = Path.of("src", "test", "resources", program).toAbsolutePath();
        File output = directory.resolve("output").toFile();
        ProcessBuilder builder = new ProcessBuilder(List.of(python, script.toString()))
                .redirectErrorStream(true)
                .redirectOutput(output);
        Map<String, String> environment = builder.environment();
        environment.keySet().removeIf(name -> name.startsWith("CARACAL_"));
        environment.put("CARACAL_CONFIG", platform.writeProfile(directory).toString());
        environment.put("CARACAL_RESOURCE_ID", platform.resourceId());
        environment.put("CARACAL_RESOURCE_PATH", "/charge");
        environment.put("UPSTREAM_URL", platform.upstreamUrl());
        environment.put("STS_URL", platform.stsUrl());
        environment.put("ID_TOKEN", platform.idToken("alice"));
        Process process = builder.start();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        String text = Files.readString(output.toPath());
        assertThat(process.exitValue()).as(text).isZero();
        return text;
    }
}
