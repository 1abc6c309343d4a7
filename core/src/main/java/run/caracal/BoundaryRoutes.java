package run.caracal;

import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.inbound.PathPattern;

/**
 * Boundaries by path and method, for a service whose routes require different things. Immutable.
 *
 * <pre>{@code
 * BoundaryRoutes routes = BoundaryRoutes.builder(verified)
 *         .except("/health")
 *         .route("/invoices/**", verified.requiring(reading))
 *         .route("POST", "/invoices/**", verified.requiring(writing))
 *         .build();
 * }</pre>
 *
 * <p>Segments of a pattern match literally and case-sensitively; {@code *} matches one segment, and {@code **} at the
 * end matches zero or more. The most specific pattern wins: without {@code **} before with, then more segments, then
 * fewer {@code *}, then with a method; between equals the first. Escapes are decoded; empty segments and path
 * parameters (after a semicolon) are ignored.
 */
public final class BoundaryRoutes {
    private static final Comparator<Route> LONGEST_FIRST = Comparator.comparing(
                    Route::pattern, PathPattern.LONGEST_FIRST)
            .thenComparing(route -> route.method() == null);

    private final List<Route> routes;
    private final Boundary otherwise;

    private record Route(
            @Nullable String method,
            PathPattern pattern,
            @Nullable Boundary boundary) {
        boolean matches(String asked, List<String> path) {
            return (method == null || method.equals(asked)) && pattern.matches(path);
        }

        @Override
        public String toString() {
            return (method == null ? "" : method + " ") + pattern + (boundary == null ? " excepted" : " " + boundary);
        }
    }

    private BoundaryRoutes(List<Route> routes, Boundary otherwise) {
        this.routes = routes.stream().sorted(LONGEST_FIRST).toList();
        this.otherwise = otherwise;
    }

    /** {@return a builder with the boundary of requests that match no route} */
    public static Builder builder(Boundary otherwise) {
        return new Builder(Objects.requireNonNull(otherwise, "otherwise"));
    }

    /**
     * {@return the boundary of a request; empty if the request is excepted}
     *
     * @param path the raw path, with its escapes, without the query
     * @throws IllegalArgumentException if the path has dot segments, a backslash or invalid escapes, so that a server
     *     might resolve it differently: reject such a request
     */
    public Optional<Boundary> boundaryOf(String method, String path) {
        List<String> segments = PathPattern.segments(path);
        for (Route route : routes) {
            if (route.matches(method, segments)) {
                return Optional.ofNullable(route.boundary());
            }
        }
        return Optional.of(otherwise);
    }

    /** {@return all boundaries of these routes} */
    public Set<Boundary> boundaries() {
        return Stream.concat(routes.stream().map(Route::boundary).filter(Objects::nonNull), Stream.of(otherwise))
                .collect(Collectors.toUnmodifiableSet());
    }

    @Override
    public String toString() {
        return "BoundaryRoutes[" + routes + ", otherwise " + otherwise + "]";
    }

    /** Builds {@link BoundaryRoutes}. Not for use by several threads at once. */
    public static final class Builder {
        private final List<Route> routes = new ArrayList<>();
        private final Boundary otherwise;

        private Builder(Boundary otherwise) {
            this.otherwise = otherwise;
        }

        /**
         * Adds a route for every method.
         *
         * @param pattern for instance {@code /invoices/**}
         * @throws IllegalArgumentException if the pattern is malformed
         */
        public Builder route(String pattern, Boundary boundary) {
            routes.add(new Route(null, PathPattern.parse(pattern), Objects.requireNonNull(boundary, "boundary")));
            return this;
        }

        /**
         * Adds a route for one method.
         *
         * @throws IllegalArgumentException if the pattern is malformed
         */
        public Builder route(String method, String pattern, Boundary boundary) {
            routes.add(new Route(
                    method.toUpperCase(Locale.ROOT),
                    PathPattern.parse(pattern),
                    Objects.requireNonNull(boundary, "boundary")));
            return this;
        }

        /**
         * Excepts requests from all checks, unless a more specific pattern matches; no caller is bound for them.
         *
         * @throws IllegalArgumentException if the pattern is malformed
         */
        public Builder except(String pattern) {
            routes.add(new Route(null, PathPattern.parse(pattern), null));
            return this;
        }

        /** {@return the routes} */
        public BoundaryRoutes build() {
            return new BoundaryRoutes(routes, otherwise);
        }
    }
}
