package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.error.CaracalException;
import run.caracal.http.HttpRequest;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundPolicy;
import run.caracal.internal.propagation.HeaderMap;
import run.caracal.test.FakePlatform;

/** Requests of a decorated client, as far as they can be seen without one. */
final class Calls {
    private Calls() {}

    static Map<String, String> form(HttpRequest request) {
        return Stream.of(FakePlatform.body(request).split("&"))
                .map(field -> field.split("=", 2))
                .collect(Collectors.toMap(
                        field -> field[0],
                        field -> URLDecoder.decode(field[1], StandardCharsets.UTF_8),
                        (a, b) -> a + " " + b,
                        TreeMap::new));
    }

    static Map<String, String> headers(OutboundDecision call, String... set) {
        Map<String, String> headers = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
        for (int i = 0; i < set.length; i += 2) {
            headers.put(set[i], set[i + 1]);
        }
        call.edit(new HeaderMap(headers));
        return headers;
    }

    static Mono<OutboundDecision> resolve(OutboundPolicy policy, String url, @Nullable String resource) {
        return Mono.deferContextual(view -> policy.resolve(url, resource, view));
    }

    static <T> void assertFails(Mono<T> mono, Class<? extends CaracalException> type, String... words) {
        StepVerifier.create(mono)
                .expectErrorSatisfies(e -> {
                    assertThat(e).isInstanceOf(type);
                    for (String word : words) {
                        assertThat(e).hasMessageContaining(word);
                    }
                })
                .verify(LIMIT);
    }
}
