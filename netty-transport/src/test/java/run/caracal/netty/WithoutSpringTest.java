package run.caracal.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.net.URLClassLoader;
import java.time.Duration;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;

/** Spring is optional, all of it or spring-context alone, and so are Micrometer and Lettuce. */
class WithoutSpringTest {
    /** Waits for the end, because closing needs the classes of the loader. */
    private static void close(ClassLoader loader, Object transport) throws ReflectiveOperationException {
        Object end = transport.getClass().getMethod("disposeLater").invoke(transport);
        loader.loadClass(Mono.class.getName())
                .getMethod("block", Duration.class)
                .invoke(end, Await.BOUND);
    }

    @Test
    void transportAndDecoratorNeedNoSpring() throws ReflectiveOperationException, IOException {
        try (URLClassLoader loader = ClassPath.without(it -> it.startsWith("spring-"))) {
            Class<?> transport = loader.loadClass(NettyHttpTransport.class.getName());
            Object created = transport.getMethod("create").invoke(null);
            close(loader, created);
            Class<?> client = loader.loadClass("reactor.netty.http.client.HttpClient");
            Class<?> policy = loader.loadClass("run.caracal.http.OutboundPolicy");
            Object decorated = loader.loadClass(CaracalHttp.class.getName())
                    .getMethod("decorate", client, policy)
                    .invoke(
                            null,
                            client.getMethod("create").invoke(null),
                            java.lang.reflect.Proxy.newProxyInstance(
                                    loader, new Class<?>[] {policy}, (proxy, method, arguments) -> Mono.empty()));
            assertThat(decorated.toString()).startsWith("Governed");
        }
    }

    @Test
    void metricsWithoutMicrometerAreAClearError() throws ReflectiveOperationException, IOException {
        try (URLClassLoader loader =
                ClassPath.without(it -> it.startsWith("micrometer-core") || it.startsWith("spring-"))) {
            Class<?> type = loader.loadClass(NettyHttpTransport.class.getName());
            Object builder = type.getMethod("builder").invoke(null);
            Object off = builder.getClass().getMethod("build").invoke(builder);
            close(loader, off);
            Object on = builder.getClass().getMethod("metrics", boolean.class).invoke(builder, true);
            assertThatThrownBy(() -> on.getClass().getMethod("build").invoke(on))
                    .cause()
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("io.micrometer:micrometer-core");
        }
    }

    @Test
    void theFiltersNeedNoSpringContext() throws ReflectiveOperationException, IOException {
        try (URLClassLoader loader = ClassPath.without(it -> it.startsWith("spring-context"))) {
            Class<?> policy = loader.loadClass("run.caracal.http.OutboundPolicy");
            Object filter = loader.loadClass("run.caracal.webflux.CaracalExchangeFilter")
                    .getMethod("create", policy)
                    .invoke(
                            null,
                            java.lang.reflect.Proxy.newProxyInstance(
                                    loader, new Class<?>[] {policy}, (proxy, method, arguments) -> Mono.empty()));
            assertThat(filter).isNotNull();
            Class<?> inbound = loader.loadClass("run.caracal.http.InboundPolicy");
            Object boundary = loader.loadClass("run.caracal.webflux.CaracalWebFilter")
                    .getMethod("create", inbound)
                    .invoke(
                            null,
                            java.lang.reflect.Proxy.newProxyInstance(
                                    loader, new Class<?>[] {inbound}, (proxy, method, arguments) -> Mono.empty()));
            assertThat(boundary).isNotNull();
        }
    }

    @Test
    void transportAndFiltersNeedNoLettuce() throws ReflectiveOperationException, IOException {
        try (URLClassLoader loader = ClassPath.without(it -> it.startsWith("lettuce-core"))) {
            Class<?> transport = loader.loadClass(NettyHttpTransport.class.getName());
            close(loader, transport.getMethod("create").invoke(null));
            assertThatThrownBy(() -> loader.loadClass("io.lettuce.core.RedisClient"))
                    .isInstanceOf(ClassNotFoundException.class);
            Class<?> inbound = loader.loadClass("run.caracal.http.InboundPolicy");
            assertThat(loader.loadClass("run.caracal.webflux.CaracalWebFilter")
                            .getMethod("create", inbound)
                            .invoke(
                                    null,
                                    java.lang.reflect.Proxy.newProxyInstance(
                                            loader,
                                            new Class<?>[] {inbound},
                                            (proxy, method, arguments) -> Mono.empty())))
                    .isNotNull();
        }
    }

    @Test
    void theConsumerNeedsNoMicrometer() throws ReflectiveOperationException, IOException {
        try (URLClassLoader loader = ClassPath.without(it -> it.startsWith("micrometer-core"))) {
            Class<?> store = loader.loadClass("run.caracal.redis.RedisRevocationStore");
            Class<?> commands = loader.loadClass("io.lettuce.core.cluster.api.reactive.RedisClusterReactiveCommands");
            Object shared = store.getMethod("create", commands)
                    .invoke(
                            null,
                            java.lang.reflect.Proxy.newProxyInstance(
                                    loader, new Class<?>[] {commands}, (proxy, method, arguments) -> Mono.empty()));
            assertThat(loader.loadClass("run.caracal.redis.RevocationConsumer")
                            .getMethod("sharing", store, String.class)
                            .invoke(null, shared, "one"))
                    .isNotNull();
        }
    }
}
