package com.example.billing;

import java.nio.charset.StandardCharsets;
import reactor.core.publisher.Mono;
import run.caracal.Caracal;
import run.caracal.FetchRequest;

/** Charges each invoice in its own session. */
public final class Billing {
    private static final String RESOURCE = "resource://billing-api";

    private final Caracal caracal;

    public Billing(Caracal caracal) {
        this.caracal = caracal;
    }

    public Mono<String> charge(int amount) {
        FetchRequest request = FetchRequest.builder(RESOURCE, "/charge")
                .json("{\"amount\": " + amount + "}")
                .build();
        return caracal.spawn(session -> caracal.fetch(request))
                .map(response -> new String(response.body(), StandardCharsets.UTF_8));
    }
}
