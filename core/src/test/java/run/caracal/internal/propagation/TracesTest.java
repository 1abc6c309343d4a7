package run.caracal.internal.propagation;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Optional;
import org.junit.jupiter.api.Test;
import reactor.util.context.Context;
import run.caracal.config.TraceSource;
import run.caracal.test.Logged;

class TracesTest {
    private static final String ASKED = "0af7651916cd43dd8448eb211c80319c";
    private static final String AROUND = "5bf92f3577b34da6a3ce929d0e0e4736";
    private static final String FOUND = "4bf92f3577b34da6a3ce929d0e0e4736";
    private static final TraceSource SOURCE = view -> Optional.of("00-" + FOUND + "-00f067aa0ba902b7-00");

    private static final Envelope BOUND = Envelope.builder()
            .traceId(AROUND)
            .traceFlags("00")
            .traceState("a=1")
            .build();

    private static Envelope found(TraceSource source) {
        return new Traces(source).join(null, Envelope.EMPTY, Context.empty());
    }

    @Test
    void theOneAskedForGoesWithoutTheStateOfAnother() {
        assertThat(new Traces(SOURCE).join(ASKED, BOUND, Context.empty()))
                .usingRecursiveComparison()
                .isEqualTo(Envelope.builder().traceId(ASKED).build());
    }

    @Test
    void theOneAroundGoesBeforeThatOfTheApplication() {
        assertThat(new Traces(SOURCE).join(null, BOUND, Context.empty()))
                .usingRecursiveComparison()
                .isEqualTo(BOUND);
    }

    @Test
    void thatOfTheApplicationIsJoinedWithItsFlags() {
        assertThat(found(SOURCE))
                .usingRecursiveComparison()
                .isEqualTo(Envelope.builder().traceId(FOUND).traceFlags("00").build());
    }

    @Test
    void withoutASourceOrASpanANewOneBegins() {
        Envelope first = new Traces(null).join(null, Envelope.EMPTY, Context.empty());
        assertThat(first.traceId()).matches("[0-9a-f]{32}");
        assertThat(found(view -> Optional.empty()).traceId())
                .matches("[0-9a-f]{32}")
                .isNotEqualTo(first.traceId());
    }

    @Test
    void aSourceThatFailsIsWarnedAboutAndANewOneBegins() {
        String logged = Logged.during(() -> assertThat(found(view -> {
                            throw new IllegalStateException("the source's words");
                        })
                        .traceId())
                .matches("[0-9a-f]{32}"));
        assertThat(logged).contains("WARN", "trace source", "the source's words");
    }
}
