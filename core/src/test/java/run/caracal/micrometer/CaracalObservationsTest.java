package run.caracal.micrometer;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import io.micrometer.common.KeyValue;
import io.micrometer.observation.Observation;
import io.micrometer.observation.ObservationHandler;
import io.micrometer.observation.ObservationRegistry;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.test.StepVerifier;
import reactor.util.context.Context;
import run.caracal.Caracal;
import run.caracal.test.Everything;
import run.caracal.test.FakePlatform;

class CaracalObservationsTest {
    private final FakePlatform platform = new FakePlatform();
    private final Caracal caracal = platform.client();
    private final ObservationRegistry registry = ObservationRegistry.create();
    private final List<Observation.Context> started = new CopyOnWriteArrayList<>();
    private final List<Observation.Context> stopped = new CopyOnWriteArrayList<>();

    CaracalObservationsTest() {
        registry.observationConfig().observationHandler(new ObservationHandler<Observation.Context>() {
            @Override
            public void onStart(Observation.Context context) {
                started.add(context);
            }

            @Override
            public void onStop(Observation.Context context) {
                stopped.add(context);
            }

            @Override
            public boolean supportsContext(Observation.Context context) {
                return true;
            }
        });
    }

    private Observation.Context only(String operation, String detail) {
        List<Observation.Context> found = new ArrayList<>();
        for (Observation.Context context : stopped) {
            if (operation.equals(low(context, "operation")) && detail.equals(low(context, "detail"))) {
                found.add(context);
            }
        }
        assertThat(found).as(operation).hasSize(1);
        return found.get(0);
    }

    private static @Nullable String low(Observation.Context context, String key) {
        KeyValue value = context.getLowCardinalityKeyValue(key);
        return value == null ? null : value.getValue();
    }

    private static @Nullable String high(Observation.Context context, String key) {
        KeyValue value = context.getHighCardinalityKeyValue(key);
        return value == null ? null : value.getValue();
    }

    private static Observation.@Nullable ContextView parent(Observation.Context context) {
        var parent = context.getParentObservation();
        return parent == null ? null : parent.getContextView();
    }

    /** A trace: the application's own observation, the operations under it, their calls under those. */
    @Test
    void operationsAreChildrenOfTheObservationInTheReactorContext() {
        var observing = CaracalObservations.observe(caracal, registry);
        Observation mine = Observation.start("mine", registry);
        platform.nextAnswer(FakePlatform::isMint, 403, "{\"error\":\"access_denied\",\"requestId\":\"r-9\"}");
        StepVerifier.create(caracal.spawn(context ->
                                caracal.mintMandate(Everything.RESOURCE, "a").onErrorComplete())
                        .contextWrite(Context.of("micrometer.observation", mine)))
                .expectComplete()
                .verify(LIMIT);
        mine.stop();
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        observing.dispose();
        List<Observation.Context> opens = stopped.stream()
                .filter(c -> "session.open".equals(low(c, "operation")))
                .toList();
        assertThat(opens).hasSize(2);
        assertThat(parent(opens.get(0))).isSameAs(mine.getContextView());
        assertThat(high(opens.get(0), "session.id")).isEqualTo("session-1");
        assertThat(high(opens.get(0), "http.status")).isEqualTo("201");
        assertThat(opens.get(0).getName()).isEqualTo("caracal.operation");
        assertThat(opens.get(0).getContextualName()).isEqualTo("caracal session open");
        assertThat(opens.get(0).getError()).isNull();
        Observation.Context call = stopped.stream()
                .filter(c -> "open".equals(low(c, "detail")))
                .findFirst()
                .orElseThrow();
        assertThat(parent(call)).isSameAs(opens.get(0));
        Observation.Context mint = only("mandate.mint", "none");
        assertThat(parent(mint)).isSameAs(mine.getContextView());
        assertThat(low(mint, "outcome")).isEqualTo("failure");
        assertThat(low(mint, "code")).isEqualTo("access_denied");
        assertThat(high(mint, "request.id")).isEqualTo("r-9");
        assertThat(high(mint, "resource")).isEqualTo(Everything.RESOURCE);
        assertThat(mint.getError()).hasMessage("access_denied");
        assertThat(parent(only("token.exchange", "miss")))
                .as("shared by all waiting callers")
                .isNull();
        assertThat(registry.getCurrentObservation()).isNull();
    }

    @Test
    void whatIsStartedIsStopped_andHoldsNoToken() {
        var observing = CaracalObservations.observe(caracal, registry);
        Everything.doAll(platform, caracal);
        observing.dispose();
        assertThat(stopped).hasSizeGreaterThan(15).containsExactlyInAnyOrderElementsOf(started);
        assertThat(stopped.toString()).doesNotContain("token-1").doesNotContain("the-client-secret");
        assertThat(stopped).allSatisfy(context -> {
            assertThat(context.getLowCardinalityKeyValues().stream().map(KeyValue::getKey))
                    .containsExactlyInAnyOrder("operation", "outcome", "code", "detail");
            assertThat(context.getLowCardinalityKeyValues().toString()).doesNotContain("session-");
        });
    }

    /** A cancelled operation ends its observation too. */
    @Test
    void aCancelStopsTheObservation() {
        var observing = CaracalObservations.observe(caracal, registry);
        platform.next(FakePlatform::isApproval, real -> Mono.never());
        caracal.waitForApproval("approval-1").subscribe().dispose();
        assertThat(low(only("approval.wait", "none"), "outcome")).isEqualTo("cancelled");
        assertThat(high(stopped.get(0), "approval.id")).isEqualTo("approval-1");
        observing.dispose();
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
    }
}
