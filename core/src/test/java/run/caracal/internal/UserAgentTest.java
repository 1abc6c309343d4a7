package run.caracal.internal;

import static org.assertj.core.api.Assertions.assertThat;

import java.net.URI;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import run.caracal.http.HttpRequest;
import run.caracal.internal.wire.StsRequests;

class UserAgentTest {
    @Test
    void callsOfTheSdkNameItsVersion() {
        HttpRequest request = new StsRequests(URI.create("https://sts.example.com"))
                .approval("approval-1", Duration.ofSeconds(1), Duration.ofSeconds(2));
        assertThat(request.headers().get("User-Agent")).matches("caracal-sdk-java/(dev|[0-9][\\w.-]*)");
    }
}
