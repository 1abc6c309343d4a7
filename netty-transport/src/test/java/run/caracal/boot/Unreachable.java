package run.caracal.boot;

import java.util.concurrent.atomic.AtomicInteger;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.error.TransportException;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;

/** A transport to an unreachable platform. */
final class Unreachable implements HttpTransport {
    private final AtomicInteger asked = new AtomicInteger();

    static Caracal client(String zone) {
        return Caracal.create(CaracalConfig.builder()
                .zoneId(zone)
                .applicationId("app-test")
                .clientSecret("s")
                .transport(new Unreachable())
                .build());
    }

    int asked() {
        return asked.get();
    }

    @Override
    public Mono<HttpResponse> exchange(HttpRequest request) {
        return Mono.defer(() -> {
            asked.incrementAndGet();
            return Mono.error(
                    new TransportException(TransportException.Kind.CONNECT, "The platform is unreachable", null));
        });
    }

    @Override
    public Mono<Void> disposeLater() {
        return Mono.empty();
    }

    @Override
    public void dispose() {}
}
