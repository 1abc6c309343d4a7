package run.caracal.boot;

import java.util.List;
import org.jspecify.annotations.Nullable;
import run.caracal.Boundary;
import run.caracal.BoundaryRoutes;
import run.caracal.boot.CaracalInboundProperties.Route;
import run.caracal.boot.CaracalInboundProperties.WithoutBearer;
import run.caracal.error.ConfigurationException;
import run.caracal.error.ConfigurationException.Problem;
import run.caracal.verify.MandateRequirements;
import run.caracal.verify.MandateVerifier;

/** Creates the boundaries from the properties. */
final class InboundRoutes {
    private InboundRoutes() {}

    static BoundaryRoutes of(String resource, CaracalInboundProperties properties, MandateVerifier verifier) {
        try {
            return routes(resource, properties, verifier);
        } catch (IllegalArgumentException e) {
            throw new ConfigurationException(
                    List.of(new Problem("caracal.inbound", "properties", String.valueOf(e.getMessage()))));
        }
    }

    private static BoundaryRoutes routes(String resource, CaracalInboundProperties all, MandateVerifier verifier) {
        Route everything = new Route(
                "/**",
                List.of(),
                all.withoutBearer(),
                all.scopes(),
                all.session(),
                all.delegation(),
                all.maxHops(),
                all.applications());
        BoundaryRoutes.Builder routes =
                BoundaryRoutes.builder(boundary(resource, everything, everything, all.trusted(), verifier));
        for (Route route : all.routes()) {
            Boundary boundary = boundary(resource, route, everything, all.trusted(), verifier);
            if (route.methods().isEmpty()) {
                routes = routes.route(route.path(), boundary);
            }
            for (String method : route.methods()) {
                routes = routes.route(method, route.path(), boundary);
            }
        }
        for (String pattern : all.except()) {
            routes = routes.except(pattern);
        }
        return routes.build();
    }

    private static Boundary boundary(
            String resource, Route route, Route others, boolean trusted, MandateVerifier verifier) {
        MandateRequirements requirements = MandateRequirements.builder()
                .targets(resource)
                .scopes(either(route.scopes(), others.scopes()).toArray(String[]::new))
                .applications(
                        either(route.applications(), others.applications()).toArray(String[]::new))
                .maxHops(either(route.maxHops(), others.maxHops()))
                .session(either(route.session(), others.session()))
                .delegation(either(route.delegation(), others.delegation()))
                .build();
        Boundary boundary = Boundary.verified(verifier).requiring(requirements);
        WithoutBearer without = either(route.withoutBearer(), others.withoutBearer());
        return switch (without) {
            case REFUSED -> boundary;
            case PASSES -> boundary.optional();
            case AS_APPLICATION -> trusted ? boundary.asApplication().trusted() : boundary.asApplication();
        };
    }

    private static <T> T either(@Nullable T one, @Nullable T other) {
        if (one != null) {
            return one;
        }
        if (other != null) {
            return other;
        }
        throw new IllegalStateException("a property has no default");
    }
}
