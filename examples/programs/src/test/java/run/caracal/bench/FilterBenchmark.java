package run.caracal.bench;

import com.azure.core.credential.AccessToken;
import com.azure.core.http.HttpHeader;
import com.azure.core.http.HttpMethod;
import com.azure.core.http.HttpPipeline;
import com.azure.core.http.HttpPipelineBuilder;
import com.azure.core.http.HttpRequest;
import com.azure.core.http.policy.BearerTokenAuthenticationPolicy;
import java.net.URI;
import java.nio.ByteBuffer;
import java.nio.charset.Charset;
import java.time.Duration;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.time.ZoneOffset;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.springframework.http.HttpStatus;
import org.springframework.security.authentication.AnonymousAuthenticationToken;
import org.springframework.security.core.authority.AuthorityUtils;
import org.springframework.security.oauth2.client.AuthorizedClientServiceReactiveOAuth2AuthorizedClientManager;
import org.springframework.security.oauth2.client.InMemoryReactiveOAuth2AuthorizedClientService;
import org.springframework.security.oauth2.client.OAuth2AuthorizedClient;
import org.springframework.security.oauth2.client.registration.ClientRegistration;
import org.springframework.security.oauth2.client.registration.InMemoryReactiveClientRegistrationRepository;
import org.springframework.security.oauth2.client.web.reactive.function.client.ServerOAuth2AuthorizedClientExchangeFilterFunction;
import org.springframework.security.oauth2.core.AuthorizationGrantType;
import org.springframework.security.oauth2.core.OAuth2AccessToken;
import org.springframework.web.reactive.function.client.ClientRequest;
import org.springframework.web.reactive.function.client.ClientResponse;
import org.springframework.web.reactive.function.client.ExchangeFilterFunction;
import org.springframework.web.reactive.function.client.ExchangeFunction;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.util.context.Context;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.webflux.CaracalExchangeFilter;

/**
 * The way of one request through a client's token path with the token at hand, and nothing behind it: no network. The SDK
 * also routes, and writes trace, baggage and a request id; the others add one header.
 */
@State(Scope.Benchmark)
public class FilterBenchmark {
    private static final URI ADDRESS = URI.create(PathBenchmark.URL);
    private static final ClientResponse ANSWER =
            ClientResponse.create(HttpStatus.OK).build();
    private static final ExchangeFunction END = request -> Mono.just(ANSWER);

    private final Caracal caracal = new InMemory(90, Duration.ZERO).client();
    private final CaracalContext session = InMemory.openSession(caracal);
    private final Context context = InMemory.context(caracal, session);
    private final PlainHeaders plain = PlainHeaders.of(session);
    private final ExchangeFilterFunction caracalFilter = CaracalExchangeFilter.create(caracal);
    private final ExchangeFilterFunction springFilter = springFilter();
    private final HttpPipeline azure = new HttpPipelineBuilder()
            .policies(new BearerTokenAuthenticationPolicy(
                    request -> Mono.just(new AccessToken(
                            Canned.TOKEN, OffsetDateTime.now(ZoneOffset.UTC).plusHours(2))),
                    "scope"))
            .httpClient(request -> Mono.just(new AzureAnswer(request)))
            .build();

    private static ExchangeFilterFunction springFilter() {
        ClientRegistration registration = ClientRegistration.withRegistrationId("bench")
                .authorizationGrantType(AuthorizationGrantType.CLIENT_CREDENTIALS)
                .clientId("app-1")
                .clientSecret("the-client-secret")
                .tokenUri("https://sts.example.com/oauth/2/token")
                .build();
        var registrations = new InMemoryReactiveClientRegistrationRepository(registration);
        var clients = new InMemoryReactiveOAuth2AuthorizedClientService(registrations);
        var anonymous = new AnonymousAuthenticationToken(
                "anonymous", "anonymousUser", AuthorityUtils.createAuthorityList("ROLE_ANONYMOUS"));
        var token = new OAuth2AccessToken(
                OAuth2AccessToken.TokenType.BEARER,
                Canned.TOKEN,
                Instant.now(),
                Instant.now().plus(Duration.ofHours(2)));
        clients.saveAuthorizedClient(new OAuth2AuthorizedClient(registration, "anonymousUser", token), anonymous)
                .block();
        var filter = new ServerOAuth2AuthorizedClientExchangeFilterFunction(
                new AuthorizedClientServiceReactiveOAuth2AuthorizedClientManager(registrations, clients));
        filter.setDefaultClientRegistrationId("bench");
        return filter;
    }

    private static ClientRequest request() {
        return ClientRequest.create(org.springframework.http.HttpMethod.GET, ADDRESS)
                .build();
    }

    @Benchmark
    public @Nullable ClientResponse caracal() {
        return caracalFilter.filter(request(), END).contextWrite(context).block();
    }

    @Benchmark
    public @Nullable ClientResponse springSecurity() {
        return springFilter.filter(request(), END).contextWrite(context).block();
    }

    @Benchmark
    public com.azure.core.http.@Nullable HttpResponse azure() {
        return azure.send(new HttpRequest(HttpMethod.GET, PathBenchmark.URL)).block();
    }

    /** The same headers, set by hand. */
    @Benchmark
    public @Nullable ClientResponse plain() {
        ExchangeFilterFunction byHand = (request, next) -> next.exchange(ClientRequest.from(request)
                .headers(headers -> plain.forEach(headers::set))
                .build());
        return byHand.filter(request(), END).contextWrite(context).block();
    }

    private static final class AzureAnswer extends com.azure.core.http.HttpResponse {
        AzureAnswer(HttpRequest request) {
            super(request);
        }

        @Override
        public int getStatusCode() {
            return 200;
        }

        @Deprecated
        @Override
        public @Nullable String getHeaderValue(String name) {
            HttpHeader header = getHeaders().get(com.azure.core.http.HttpHeaderName.fromString(name));
            return header == null ? null : header.getValue();
        }

        @Override
        public com.azure.core.http.HttpHeaders getHeaders() {
            return new com.azure.core.http.HttpHeaders();
        }

        @Override
        public Flux<ByteBuffer> getBody() {
            return Flux.empty();
        }

        @Override
        public Mono<byte[]> getBodyAsByteArray() {
            return Mono.empty();
        }

        @Override
        public Mono<String> getBodyAsString() {
            return Mono.empty();
        }

        @Override
        public Mono<String> getBodyAsString(Charset charset) {
            return Mono.empty();
        }
    }
}
