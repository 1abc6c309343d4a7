package run.caracal.netty;

import reactor.core.publisher.Mono;
import run.caracal.http.InboundPolicy;

class CaracalHttpServerTest extends BoundaryContract {
    @Override
    protected BoundaryServer server(InboundPolicy policy, Mono<String> work) {
        return new BoundaryServer(CaracalHttpServer.boundary(policy, (request, response) -> response.sendString(work)));
    }
}
