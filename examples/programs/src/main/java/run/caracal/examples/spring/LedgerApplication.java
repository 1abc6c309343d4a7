package run.caracal.examples.spring;

import java.io.PrintStream;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.web.reactive.function.server.RequestPredicates;
import org.springframework.web.reactive.function.server.RouterFunctions;
import org.springframework.web.reactive.function.server.ServerResponse;
import org.springframework.web.server.WebHandler;
import run.caracal.Caracal;

/**
 * The last application of the chain: appends the entry of a caller with a verified mandate, and makes no calls. It only fetches
 * the zone's keys, so the identity of its owner suffices.
 */
@Configuration(proxyBeanMethods = false)
@Import(CaracalConfiguration.class)
class LedgerApplication {
    static final String RESOURCE = "resource://ledger";
    static final String APPEND = "ledger:append";

    @Bean
    WebHandler webHandler(Caracal caracal, PrintStream out) {
        return RouterFunctions.toWebHandler(RouterFunctions.route(
                RequestPredicates.POST("/entries"),
                request -> caracal.current()
                        .doOnNext(caller -> out.println("ledger let in " + Callers.describe(caller)))
                        .flatMap(caller -> ServerResponse.ok().bodyValue("appended"))));
    }
}
