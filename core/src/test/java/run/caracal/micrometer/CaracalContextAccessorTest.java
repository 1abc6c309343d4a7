package run.caracal.micrometer;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import io.micrometer.context.ContextRegistry;
import io.micrometer.context.ContextSnapshot;
import io.micrometer.context.ContextSnapshotFactory;
import io.micrometer.context.ThreadLocalAccessor;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.slf4j.MDC;
import org.slf4j.helpers.BasicMDCAdapter;
import org.slf4j.spi.MDCAdapter;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Hooks;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.util.context.ContextView;
import run.caracal.Caracal;
import run.caracal.CaracalContext;
import run.caracal.test.FakePlatform;
import run.caracal.test.VirtualThreads;

/** Code that is not reactive sees the bound context, if the application asks for it. */
class CaracalContextAccessorTest {
    private final FakePlatform platform = new FakePlatform();
    private final Caracal caracal = platform.client();

    @AfterEach
    void nothingIsLeft() {
        Hooks.disableAutomaticContextPropagation();
        ContextRegistry.getInstance().removeThreadLocalAccessor(CaracalContextAccessor.KEY);
        assertThat(CaracalContextAccessor.current()).isEmpty();
        StepVerifier.create(caracal.disposeLater()).expectComplete().verify(LIMIT);
        assertThat(platform.live()).isEmpty();
    }

    private static String shown() {
        return CaracalContextAccessor.current()
                .map(CaracalContext::agentSessionId)
                .orElse("none");
    }

    /** A registry apart from the process's own. */
    private static ContextSnapshotFactory factory(CaracalContextAccessor accessor) {
        return ContextSnapshotFactory.builder()
                .contextRegistry(new ContextRegistry().loadContextAccessors().registerThreadLocalAccessor(accessor))
                .clearMissing(true)
                .build();
    }

    private static ContextSnapshot.Scope show(ContextSnapshotFactory factory, ContextView view) {
        return factory.setThreadLocalsFrom(view);
    }

    private static void registerAndEnable(CaracalContextAccessor accessor) {
        ContextRegistry.getInstance().registerThreadLocalAccessor(accessor);
        Hooks.enableAutomaticContextPropagation();
    }

    @Test
    void nobodyRegistersItUnasked() {
        assertThat(ServiceLoader.load(ThreadLocalAccessor.class))
                .noneMatch(accessor -> accessor.getClass().getName().startsWith("run.caracal"));
        assertThat(ContextRegistry.getInstance().getThreadLocalAccessors())
                .noneMatch(accessor -> accessor.key().equals(CaracalContextAccessor.KEY));
        StepVerifier.create(caracal.spawn(context -> Mono.fromCallable(CaracalContextAccessorTest::shown)))
                .expectNext("none")
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void byHandImperativeCodeSeesTheSession_andAfterwardsNothingIsLeft() {
        ContextSnapshotFactory factory = factory(new CaracalContextAccessor());
        Mono<List<String>> seen = caracal.spawn(context -> Mono.deferContextual(view -> Mono.fromCallable(() -> {
                    try (ContextSnapshot.Scope scope = show(factory, view)) {
                        assertThat(scope).isNotNull();
                        return shown();
                    }
                })
                .map(inside -> List.of(inside, shown()))
                .subscribeOn(Schedulers.boundedElastic())));
        StepVerifier.create(seen)
                .expectNext(List.of("session-1", "none"))
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void nestedSessionsRestoreTheOuterOne() {
        ContextSnapshotFactory factory = factory(new CaracalContextAccessor());
        Mono<List<String>> seen = caracal.spawn(outer -> Mono.deferContextual(outerView ->
                caracal.spawn(inner -> Mono.deferContextual(innerView -> Mono.fromCallable(() -> {
                            try (ContextSnapshot.Scope first = show(factory, outerView)) {
                                assertThat(first).isNotNull();
                                String before = shown();
                                String within;
                                try (ContextSnapshot.Scope second = show(factory, innerView)) {
                                    assertThat(second).isNotNull();
                                    within = shown();
                                }
                                return List.of(before, within, shown());
                            }
                        })
                        .subscribeOn(Schedulers.boundedElastic())))));
        StepVerifier.create(seen)
                .expectNext(List.of("session-1", "session-2", "session-1"))
                .expectComplete()
                .verify(LIMIT);
    }

    @Test
    void withReactorsHookAnyOperatorShowsIt_acrossSchedulersAndNestedSessions() {
        registerAndEnable(new CaracalContextAccessor());
        Mono<List<String>> seen = caracal.spawn(outer -> Mono.just("")
                .map(none -> shown())
                .publishOn(Schedulers.parallel())
                .map(before -> before + " " + shown())
                .flatMap(before -> caracal.spawn(inner ->
                        Mono.just(before).publishOn(Schedulers.boundedElastic()).map(b -> b + " " + shown())))
                .publishOn(Schedulers.parallel())
                .map(before -> List.of(before, shown())));
        for (int i = 1; i <= 50; i++) {
            String outer = "session-" + (2 * i - 1);
            StepVerifier.create(seen)
                    .expectNext(List.of(outer + " " + outer + " session-" + 2 * i, outer))
                    .expectComplete()
                    .verify(LIMIT);
        }
        StepVerifier.create(Flux.range(0, 64)
                        .flatMap(i -> Mono.fromCallable(CaracalContextAccessorTest::shown)
                                .subscribeOn(Schedulers.parallel()))
                        .distinct())
                .expectNext("none")
                .expectComplete()
                .verify(LIMIT);
    }

    /** The way back: the context of an imperative handler reaches the pipeline that it blocks for. */
    @Test
    void contextCaptureBindsWhatTheThreadIsShown() {
        CaracalContextAccessor accessor = new CaracalContextAccessor();
        ContextRegistry.getInstance().registerThreadLocalAccessor(accessor);
        ContextSnapshotFactory factory = factory(accessor);
        Mono<String> imperative = caracal.spawn(context -> Mono.deferContextual(view -> Mono.fromCallable(() -> {
                    try (ContextSnapshot.Scope scope = show(factory, view)) {
                        assertThat(scope).isNotNull();
                        return Objects.requireNonNull(caracal.current()
                                .map(CaracalContext::agentSessionId)
                                .contextCapture()
                                .block(LIMIT));
                    }
                })
                .subscribeOn(Schedulers.boundedElastic())));
        StepVerifier.create(imperative).expectNext("session-1").expectComplete().verify(LIMIT);
        StepVerifier.create(caracal.current().contextCapture()).expectComplete().verify(LIMIT);
    }

    @Test
    void aTaskOnAnExecutorIsShownIt() throws Exception {
        runsOn(Executors.newFixedThreadPool(2));
    }

    @Test
    void aTaskOnAVirtualThreadIsShownIt() throws Exception {
        runsOn(VirtualThreads.executor());
    }

    private void runsOn(ExecutorService executor) throws Exception {
        ContextSnapshotFactory factory = factory(new CaracalContextAccessor());
        try {
            Mono<List<String>> seen = caracal.spawn(context -> Mono.deferContextual(view -> {
                Callable<String> task = factory.captureFrom(view).wrap(CaracalContextAccessorTest::shown);
                return Mono.fromCallable(() -> List.of(
                                executor.submit(task).get(),
                                executor.submit(CaracalContextAccessorTest::shown)
                                        .get()))
                        .subscribeOn(Schedulers.boundedElastic());
            }));
            for (int i = 1; i <= 20; i++) {
                StepVerifier.create(seen)
                        .expectNext(List.of("session-" + i, "none"))
                        .expectComplete()
                        .verify(LIMIT);
            }
        } finally {
            executor.shutdownNow();
            assertThat(executor.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
        }
    }

    @Test
    void theMdcHoldsTheIds_andAfterwardsWhatItHeldBefore() throws Exception {
        MDCAdapter adapter = MDC.getMDCAdapter();
        mdc(new BasicMDCAdapter());
        try {
            MDC.put(CaracalContextAccessor.MDC_SESSION_ID, "mine");
            ContextSnapshotFactory factory = factory(CaracalContextAccessor.withMdc());
            CaracalContext outer = captured();
            CaracalContext inner = captured();
            try (ContextSnapshot.Scope first = show(factory, view(outer))) {
                assertThat(first).isNotNull();
                assertMdc("session-1", outer.traceId());
                try (ContextSnapshot.Scope second = show(factory, view(inner))) {
                    assertThat(second).isNotNull();
                    assertMdc("session-2", inner.traceId());
                    // A pipeline without a context, from within one that has it.
                    try (ContextSnapshot.Scope none = show(factory, view(null))) {
                        assertThat(none).isNotNull();
                        assertMdc("mine", null);
                        assertThat(shown()).isEqualTo("none");
                    }
                    assertMdc("session-2", inner.traceId());
                }
                assertMdc("session-1", outer.traceId());
            }
            assertMdc("mine", null);
        } finally {
            MDC.clear();
            mdc(adapter);
        }
    }

    @Test
    void ofARequestWithoutASessionTheMdcHoldsTheTraceAlone() throws Exception {
        MDCAdapter adapter = MDC.getMDCAdapter();
        mdc(new BasicMDCAdapter());
        try {
            ContextSnapshotFactory factory = factory(CaracalContextAccessor.withMdc());
            CaracalContext outer = captured();
            CaracalContext caller = Objects.requireNonNull(
                    caracal.bindFromHeaders(Map.of("Authorization", "Bearer opaque"), caracal.current())
                            .block(LIMIT));
            assertThat(caller.hasAgentSession()).isFalse();
            try (ContextSnapshot.Scope first = show(factory, view(outer))) {
                assertThat(first).isNotNull();
                try (ContextSnapshot.Scope second = show(factory, view(caller))) {
                    assertThat(second).isNotNull();
                    assertMdc(null, caller.traceId());
                }
                assertMdc("session-1", outer.traceId());
            }
            assertMdc(null, null);
        } finally {
            MDC.clear();
            mdc(adapter);
        }
    }

    @Test
    void withoutTheOptionTheMdcIsLeftAlone() throws Exception {
        MDCAdapter adapter = MDC.getMDCAdapter();
        mdc(new BasicMDCAdapter());
        try (ContextSnapshot.Scope scope = show(factory(new CaracalContextAccessor()), view(captured()))) {
            assertThat(scope).isNotNull();
            assertThat(shown()).isEqualTo("session-1");
            assertMdc(null, null);
        } finally {
            mdc(adapter);
        }
    }

    private CaracalContext captured() {
        return Objects.requireNonNull(caracal.spawn(Mono::just).block(LIMIT));
    }

    private ContextView view(@Nullable CaracalContext context) {
        return context == null
                ? reactor.util.context.Context.empty()
                : Objects.requireNonNull(
                        caracal.bind(context, Mono.deferContextual(Mono::just)).block(LIMIT));
    }

    private static void assertMdc(@Nullable String session, @Nullable String trace) {
        assertThat(MDC.get(CaracalContextAccessor.MDC_SESSION_ID)).isEqualTo(session);
        assertThat(MDC.get(CaracalContextAccessor.MDC_TRACE_ID)).isEqualTo(trace);
    }

    /** The simple provider of these tests has no MDC; SLF4J sets another for its own tests only. */
    private static void mdc(MDCAdapter adapter) throws ReflectiveOperationException {
        var set = MDC.class.getDeclaredMethod("setMDCAdapter", MDCAdapter.class);
        set.setAccessible(true);
        set.invoke(null, adapter);
    }

    @Test
    void theViewHoldsNoToken() {
        CaracalContext context = captured();
        try (ContextSnapshot.Scope scope = show(factory(new CaracalContextAccessor()), view(context))) {
            assertThat(scope).isNotNull();
            assertThat(CaracalContextAccessor.current().toString())
                    .contains("session-1")
                    .doesNotContain("token-1")
                    .doesNotContain("the-client-secret");
            assertThat(new CaracalContextAccessor()).hasToString("CaracalContextAccessor[mdc=false]");
        }
    }
}
