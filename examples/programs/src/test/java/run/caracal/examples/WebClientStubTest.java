package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.springframework.http.HttpStatus;
import org.springframework.web.reactive.function.client.ClientRequest;
import org.springframework.web.reactive.function.client.ClientResponse;
import org.springframework.web.reactive.function.client.ExchangeFunction;
import org.springframework.web.reactive.function.client.WebClient;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.error.StsException;
import run.caracal.platform.TestCaracal;
import run.caracal.webflux.CaracalExchangeFilter;

/** A test that stubs the exchange of a WebClient keeps its stub, and gets an identity from the test client. */
class WebClientStubTest {
    private static final String BILLING = "resource://billing-api";

    private final TestCaracal test = TestCaracal.create();
    private final List<ClientRequest> seen = new CopyOnWriteArrayList<>();
    private final ClientResponse answer =
            ClientResponse.create(HttpStatus.OK).body("stubbed").build();
    private final ExchangeFunction stub = request -> {
        seen.add(request);
        return Mono.just(answer);
    };
    private final WebClient web = WebClient.builder()
            .exchangeFunction(stub)
            .filter(CaracalExchangeFilter.create(test.caracal()))
            .build();

    @AfterEach
    void close() {
        test.dispose();
    }

    private Mono<String> charge() {
        return test.caracal()
                .spawn(session -> web.post()
                        .uri(test.platform().upstreamUrl() + "/charge")
                        .retrieve()
                        .bodyToMono(String.class));
    }

    @Test
    void theStubIsSentTheIdentityAndAnswers() {
        StepVerifier.create(charge()).expectNext("stubbed").verifyComplete();
        assertThat(seen).singleElement().satisfies(request -> {
            assertThat(request.url().toString()).isEqualTo(test.platform().gatewayUrl() + "/charge");
            assertThat(request.headers().getFirst("X-Caracal-Resource")).isEqualTo(BILLING);
            assertThat(request.headers().getFirst("Authorization")).matches("Bearer \\S+\\.\\S+\\.\\S+");
            assertThat(request.headers().getFirst("traceparent")).isNotNull();
        });
        assertThat(test.platform().openSessionCount()).isZero();
    }

    @Test
    void whatIsScriptedKeepsTheCallFromTheStub() {
        test.platform().deny(BILLING, "billing:charge");
        StepVerifier.create(charge()).verifyError(StsException.AccessDenied.class);
        assertThat(seen).isEmpty();
    }
}
