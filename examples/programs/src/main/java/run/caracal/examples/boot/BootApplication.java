package run.caracal.examples.boot;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.context.annotation.Bean;
import org.springframework.web.bind.annotation.PostMapping;
import org.springframework.web.bind.annotation.RequestBody;
import org.springframework.web.bind.annotation.RestController;
import org.springframework.web.reactive.function.client.WebClient;
import org.springframework.web.reactive.function.client.support.WebClientAdapter;
import org.springframework.web.service.annotation.PostExchange;
import org.springframework.web.service.invoker.HttpServiceProxyFactory;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;
import run.caracal.webflux.CaracalExchangeFilter;

/** A Spring Boot application that takes orders, and charges each in its own agent session. */
@SpringBootApplication(proxyBeanMethods = false)
public class BootApplication {

    /**
     * Starts the application.
     *
     * @param args properties of Boot
     */
    public static void main(String[] args) {
        SpringApplication.run(BootApplication.class, args);
    }

    /** The protected resource: its relative addresses go through the Gateway. */
    interface Billing {
        @PostExchange(url = "/charge", contentType = "application/json")
        Mono<String> charge(@RequestBody String order);
    }

    @Bean
    Billing billing(WebClient.Builder builder, Caracal caracal) {
        WebClient web = builder.filter(CaracalExchangeFilter.forResource(caracal, "resource://billing-api"))
                .build();
        return HttpServiceProxyFactory.builderFor(WebClientAdapter.create(web))
                .build()
                .createClient(Billing.class);
    }

    @RestController
    record Orders(Caracal caracal, Billing billing) {
        @PostMapping("/orders")
        Mono<String> place(@RequestBody String order) {
            return caracal.spawn(session -> billing.charge(order));
        }
    }
}
