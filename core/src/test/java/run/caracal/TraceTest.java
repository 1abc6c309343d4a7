package run.caracal;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import run.caracal.config.TraceSource;
import run.caracal.test.FakePlatform;

/** A session joins the trace of its options, else of the bound context, else of the application. */
class TraceTest {
    private static final String OURS = "4bf92f3577b34da6a3ce929d0e0e4736";
    private static final String ASKED = "0af7651916cd43dd8448eb211c80319c";
    private static final String SPAN = "span";

    private final FakePlatform platform = new FakePlatform();

    /** Reads the trace that the application has put into its Reactor Context. */
    private Caracal caracal = client(view -> view.getOrEmpty(SPAN));

    private Caracal client(TraceSource source) {
        return Caracal.create(platform.config().traceSource(source).build());
    }

    @AfterEach
    void nothingStaysOpen() {
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.live()).isEmpty();
    }

    private static String traceparent(String flags) {
        return "00-" + OURS + "-00f067aa0ba902b7-" + flags;
    }

    private <T> T inSpan(Mono<T> work, String flags) {
        return Objects.requireNonNull(
                work.contextWrite(view -> view.put(SPAN, traceparent(flags))).block(LIMIT));
    }

    private Mono<String> traceOf(SpawnOptions options) {
        return caracal.spawn(options, context -> Mono.just(context.traceId()));
    }

    private List<String> sent() {
        return platform.requests(request -> FakePlatform.isOpen(request) || FakePlatform.isTerminate(request)).stream()
                .map(request -> Objects.requireNonNull(FakePlatform.header(request, "traceparent")))
                .toList();
    }

    @Nested
    class OfTheApplication {
        @ParameterizedTest
        @ValueSource(strings = {"00", "01"})
        void isThatOfATaskAndItsCalls(String flags) {
            assertThat(inSpan(traceOf(SpawnOptions.defaults()), flags)).isEqualTo(OURS);
            assertThat(sent())
                    .hasSize(2)
                    .allSatisfy(header -> assertThat(header).contains(OURS).endsWith("-" + flags));
        }

        @Test
        void isThatOfAServiceAndOfOneThatIsTakenOver() {
            ServiceAgent agent = inSpan(caracal.spawnService(), "01");
            assertThat(agent.context().traceId()).isEqualTo(OURS);
            ServiceAgent second = inSpan(caracal.attachService(agent.agentSessionId()), "01");
            assertThat(second.context().traceId()).isEqualTo(OURS);
            StepVerifier.create(second.disposeLater()).expectComplete().verify(LIMIT);
        }

        @Test
        void isThatOfAChildToo() {
            Mono<String> child = traceOf(SpawnOptions.defaults())
                    .contextWrite(view -> view.put(SPAN, traceparent("01").replace('4', '5')));
            String trace = inSpan(caracal.spawn(parent -> child), "01");
            assertThat(trace).isEqualTo(OURS);
        }

        @Test
        void isThatOfMandates() {
            var unused = inSpan(
                    caracal.spawn(context -> caracal.mintMandate("resource://billing-api", "billing:read")), "01");
            assertThat(platform.requests(FakePlatform::isMint))
                    .singleElement()
                    .satisfies(mint ->
                            assertThat(FakePlatform.header(mint, "traceparent")).contains(OURS));
        }

        @Test
        void isAskedForBySubscription() {
            Mono<String> trace = traceOf(SpawnOptions.defaults());
            assertThat(inSpan(trace, "01")).isEqualTo(OURS);
            assertThat(trace.block(LIMIT)).isNotEqualTo(OURS);
        }
    }

    @Test
    void thatIsAskedForGoesFirst() {
        assertThat(inSpan(traceOf(SpawnOptions.builder().traceId(ASKED).build()), "00"))
                .isEqualTo(ASKED);
        assertThat(sent())
                .allSatisfy(header -> assertThat(header).contains(ASKED).endsWith("-01"));
    }

    @Test
    void ofARequestGoesBeforeThatOfTheApplication() {
        Map<String, String> headers = Map.of("traceparent", traceparent("01").replace(OURS, ASKED));
        Mono<String> bound = caracal.bindFromHeaders(
                headers, Boundary.propagationOnly().asApplication(), traceOf(SpawnOptions.defaults()));
        assertThat(inSpan(bound, "01")).isEqualTo(ASKED);
    }

    @Nested
    class ASourceThatMisbehaves {
        private void assertBeginsATrace(TraceSource source) {
            caracal = client(source);
            assertThat(traceOf(SpawnOptions.defaults()).block(LIMIT))
                    .matches("[0-9a-f]{32}")
                    .isNotEqualTo(OURS);
        }

        @Test
        void byThrowing() {
            assertBeginsATrace(view -> {
                throw new IllegalStateException("source");
            });
        }

        @Test
        @SuppressWarnings("NullAway")
        void byReturningNull() {
            assertBeginsATrace(view -> null);
        }

        @ParameterizedTest
        @ValueSource(strings = {"", "00", "00-00000000000000000000000000000000-00f067aa0ba902b7-01", "garbage"})
        void byWhatIsNoHeader(String header) {
            assertBeginsATrace(view -> Optional.of(header));
        }
    }
}
