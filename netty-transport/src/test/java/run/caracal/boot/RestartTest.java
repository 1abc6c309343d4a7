package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;

import io.micrometer.context.ContextRegistry;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicReference;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.springframework.beans.factory.DisposableBean;
import org.springframework.beans.factory.ObjectFactory;
import org.springframework.beans.factory.annotation.Qualifier;
import org.springframework.beans.factory.config.BeanFactoryPostProcessor;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Scope;
import org.springframework.context.annotation.ScopedProxyMode;
import reactor.core.Disposable;
import reactor.core.Disposables;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.config.ClientSecretResolver;
import run.caracal.http.HttpTransport;
import run.caracal.micrometer.CaracalContextAccessor;
import run.caracal.netty.Await;
import run.caracal.netty.EchoServer;
import run.caracal.test.FakePlatform;

/** Restarts of contexts in one JVM, and of beans in one context. */
class RestartTest {

    @AfterEach
    void nothingIsPropagatedAfterwards() {
        ContextRegistry.getInstance().removeThreadLocalAccessor(CaracalContextAccessor.KEY);
    }

    /** As devtools do: the context is closed, and another one created. */
    @Nested
    class OfTheContext {
        private static final int TIMES = 3;
        private static final String RESOURCE = "caracal.bindings[0].resource=resource://billing";

        /** A closed client does not complete its work, so the test cancels it. */
        private final Disposable.Composite work = Disposables.composite();

        @AfterEach
        void end() {
            work.dispose();
        }

        private static Set<Thread> threads() {
            return Thread.getAllStackTraces().keySet().stream()
                    .filter(thread -> thread.getName().startsWith("caracal-"))
                    .collect(Collectors.toSet());
        }

        private static Set<Thread> since(Set<Thread> before) {
            Set<Thread> threads = threads();
            threads.removeAll(before);
            return threads;
        }

        @Test
        void leavesNoClientAndNoThread() {
            Set<Thread> before = threads();
            List<Caracal> clients = new ArrayList<>();
            try (EchoServer nobodysPlatform = new EchoServer()) {
                for (int i = 0; i < TIMES; i++) {
                    Contexts.reactive()
                            .withPropertyValues(
                                    RESOURCE,
                                    "caracal.close-timeout=50ms",
                                    "caracal.sts-url=" + nobodysPlatform.url(),
                                    "caracal.coordinator-url=" + nobodysPlatform.url())
                            .run(started -> {
                                Caracal caracal = started.getBean(Caracal.class);
                                clients.add(caracal);
                                Await.done(caracal.check().onErrorComplete());
                                assertThat(since(before))
                                        .extracting(Thread::getName)
                                        .anyMatch(it -> it.startsWith("caracal-http"));
                            });
                }
                assertThat(nobodysPlatform.arrivals).hasSizeGreaterThanOrEqualTo(TIMES);
            }
            assertThat(clients).hasSize(TIMES).doesNotHaveDuplicates().allMatch(Caracal::isDisposed);
            Await.until("the clients' threads end", () -> since(before).isEmpty());
            assertThat(ContextRegistry.getInstance().getThreadLocalAccessors())
                    .filteredOn(accessor -> accessor.key().equals(CaracalContextAccessor.KEY))
                    .hasSizeLessThanOrEqualTo(1);
        }

        @Test
        void leavesNoSessionOpen() {
            FakePlatform platform = new FakePlatform();
            for (int i = 0; i < TIMES; i++) {
                Contexts.reactive()
                        .withPropertyValues(RESOURCE, "caracal.dispose-timeout=50ms")
                        .withBean(HttpTransport.class, () -> platform)
                        .run(started -> {
                            work.add(started.getBean(Caracal.class)
                                    .spawn(session -> Mono.never())
                                    .subscribe());
                            assertThat(platform.live()).hasSize(1);
                        });
                assertThat(platform.live()).isEmpty();
            }
            assertThat(platform.ended()).hasSize(TIMES);
        }
    }

    /** As Spring Cloud's {@code @RefreshScope} does: a scope with a proxy, whose beans are created again. */
    @Nested
    class OfABean {
        private final Refreshed scope = new Refreshed();

        @Test
        void aClientIsFinalAndHasNoProxy() {
            Contexts.plain()
                    .withBean(Refreshed.class, () -> scope)
                    .withUserConfiguration(ScopedClient.class)
                    .run(started -> assertThat(started)
                            .getFailure()
                            .rootCause()
                            .hasMessageContaining("final class run.caracal.Caracal"));
        }

        @Test
        void aSecretIsRefreshedBelowItsClient() {
            AtomicReference<String> vault = new AtomicReference<>("first");
            Contexts.plain()
                    .withPropertyValues("caracal.client-secret=")
                    .withBean(Refreshed.class, () -> scope)
                    .withBean("vault", AtomicReference.class, () -> vault)
                    .withUserConfiguration(ScopedSecret.class)
                    .run(started -> {
                        assertThat(started).hasNotFailed();
                        Caracal client = started.getBean(Caracal.class);
                        ClientSecretResolver secret = started.getBean(CaracalConfig.class)
                                .clientSecret()
                                .orElseThrow();
                        assertThat(secret.resolve().block(Await.BOUND)).isEqualTo("first");
                        vault.set("second");
                        assertThat(secret.resolve().block(Await.BOUND)).isEqualTo("first");
                        scope.refresh();
                        assertThat(secret.resolve().block(Await.BOUND)).isEqualTo("second");
                        assertThat(started.getBean(Caracal.class)).isSameAs(client);
                        assertThat(client.isDisposed()).isFalse();
                    });
        }

        @Test
        void anInterfaceThatOwnsAClientClosesItWhenRefreshed() {
            List<Caracal> made = new ArrayList<>();
            Contexts.plain()
                    .withBean(Refreshed.class, () -> scope)
                    .withBean("made", List.class, () -> made)
                    .withUserConfiguration(ScopedOwner.class)
                    .run(started -> {
                        assertThat(started).hasNotFailed();
                        Billing billing = started.getBean(Billing.class);
                        assertThat(billing.zone()).isEqualTo("zone-0");
                        scope.refresh();
                        assertThat(made.get(0).isDisposed()).isTrue();
                        assertThat(billing.zone()).isEqualTo("zone-1");
                        assertThat(made.get(1).isDisposed()).isFalse();
                    });
            assertThat(made).hasSize(2).allMatch(Caracal::isDisposed);
        }
    }

    @Retention(RetentionPolicy.RUNTIME)
    @Scope(scopeName = Refreshed.NAME, proxyMode = ScopedProxyMode.TARGET_CLASS)
    @interface RefreshScope {}

    @Configuration(proxyBeanMethods = false)
    static class ScopedClient {
        @Bean(destroyMethod = "dispose")
        @RefreshScope
        Caracal mine() {
            return Unreachable.client("zone-mine");
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class ScopedSecret {
        @Bean
        @RefreshScope
        ClientSecretResolver secret(AtomicReference<String> vault) {
            return ClientSecretResolver.of(Objects.requireNonNull(vault.get()));
        }
    }

    /** The application's own interface, independent of the client behind it. */
    interface Billing {
        String zone();

        void close();
    }

    private record Owner(Caracal caracal) implements Billing {
        @Override
        public String zone() {
            return caracal.zoneId();
        }

        @Override
        public void close() {
            caracal.dispose();
        }
    }

    @Configuration(proxyBeanMethods = false)
    static class ScopedOwner {
        @Bean(destroyMethod = "close")
        @RefreshScope
        Billing billing(@Qualifier("made") List<Caracal> made) {
            Caracal client = Unreachable.client("zone-" + made.size());
            made.add(client);
            return new Owner(client);
        }
    }

    /** Disposes its beans at a refresh and with the context, and creates them again on use. */
    private static final class Refreshed
            implements org.springframework.beans.factory.config.Scope, BeanFactoryPostProcessor, DisposableBean {
        static final String NAME = "refresh";

        private final Map<String, Object> beans = new ConcurrentHashMap<>();
        private final Map<String, Runnable> ends = new ConcurrentHashMap<>();

        @Override
        public void postProcessBeanFactory(ConfigurableListableBeanFactory factory) {
            factory.registerScope(NAME, this);
        }

        @Override
        public Object get(String name, ObjectFactory<?> factory) {
            return beans.computeIfAbsent(name, it -> factory.getObject());
        }

        @Override
        public @Nullable Object remove(String name) {
            ends.remove(name);
            return beans.remove(name);
        }

        @Override
        public void registerDestructionCallback(String name, Runnable end) {
            ends.put(name, end);
        }

        void refresh() {
            beans.clear();
            ends.values().forEach(Runnable::run);
            ends.clear();
        }

        @Override
        public void destroy() {
            refresh();
        }
    }
}
