package run.caracal.examples.spring;

import java.io.PrintStream;
import java.net.URI;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiFunction;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Publisher;
import org.springframework.context.annotation.AnnotationConfigApplicationContext;
import org.springframework.core.env.MapPropertySource;
import org.springframework.http.server.reactive.ReactorHttpHandlerAdapter;
import org.springframework.web.server.adapter.WebHttpHandlerBuilder;
import org.springframework.web.server.handler.ResponseStatusExceptionHandler;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import reactor.netty.http.server.HttpServerRequest;
import reactor.netty.http.server.HttpServerResponse;
import run.caracal.config.CaracalConfig;

/**
 * A minimal replacement of Boot: a port, a context, and the adapter between them. It binds the port first, because the platform
 * needs the addresses of its resources before their applications can be configured.
 */
final class WebFluxService implements AutoCloseable {
    private final AnnotationConfigApplicationContext context = new AnnotationConfigApplicationContext();
    private volatile @Nullable BiFunction<HttpServerRequest, HttpServerResponse, Publisher<Void>> application;
    private volatile @Nullable String authorization;
    private final DisposableServer server;

    /** Listens on a free port. */
    WebFluxService() {
        this(HttpServer.create().host("127.0.0.1").port(0));
    }

    /** Listens on the port of the address at which a Gateway reaches this machine. */
    WebFluxService(String address) {
        this(HttpServer.create().port(URI.create(address).getPort()));
    }

    private WebFluxService(HttpServer listening) {
        server = listening.handle(this::handle).bindNow();
    }

    String url() {
        return "http://127.0.0.1:" + server.port();
    }

    /** Starts an application with this configuration and these properties. */
    void start(Class<?> configuration, CaracalConfig caracal, Map<String, Object> properties, PrintStream out) {
        context.registerBean(ResponseStatusExceptionHandler.class);
        context.registerBean(CaracalConfig.class, () -> caracal);
        context.registerBean(PrintStream.class, () -> out, definition -> definition.setDestroyMethodName(""));
        context.getEnvironment().getPropertySources().addFirst(new MapPropertySource("service", properties));
        context.register(configuration);
        if (properties.containsKey("caracal.redis.uri")) {
            context.register(RedisRevocations.class);
        }
        context.refresh();
        application = new ReactorHttpHandlerAdapter(
                WebHttpHandlerBuilder.applicationContext(context).build())::apply;
    }

    <T> T bean(Class<T> type) {
        return context.getBean(type);
    }

    /** The {@code Authorization} of the last request. */
    String lastAuthorization() {
        return Objects.requireNonNull(authorization, "no request had a mandate");
    }

    private Publisher<Void> handle(HttpServerRequest request, HttpServerResponse response) {
        authorization = request.requestHeaders().get("Authorization");
        var started = application;
        return started == null ? response.status(503).send() : started.apply(request, response);
    }

    /** Closes the application, which ends its sessions, and then the port. */
    @Override
    public void close() {
        context.close();
        server.disposeNow();
    }
}
