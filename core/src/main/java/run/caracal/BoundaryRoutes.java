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
 * <p>A pattern is a path whose segments are matched to the letter, upper and lower case differing; {@code *} stands for one
 * segment, and {@code **} at the end for any that follow, or none. The longest pattern wins: one of a whole path before one
 * with {@code **}, then the one of more segments, then the one with fewer {@code *}, then one for a method. The first
 * one added wins between equals. Escapes are decoded, and what follows a semicolon in a segment does not count, nor do empty
 * segments.
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

    /**
     * Starts with the boundary of what no route names.
     *
     * @param otherwise the boundary
     * @return a new builder
     */
    public static Builder builder(Boundary otherwise) {
        return new Builder(Objects.requireNonNull(otherwise, "otherwise"));
    }

    /**
     * The boundary of a request.
     *
     * @param method its method
     * @param path its path as it arrived, escapes and all; a query does not count
     * @return the boundary; empty for a request that is left alone
     * @throws IllegalArgumentException if the path has dot segments, a backslash or escapes that cannot be read, so that a
     *     server could take it for another one: refuse such a request
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

    /** {@return every boundary that a request may meet} */
    public Set<Boundary> boundaries() {
        return Stream.concat(routes.stream().map(Route::boundary).filter(Objects::nonNull), Stream.of(otherwise))
                .collect(Collectors.toUnmodifiableSet());
    }

    @Override
    public String toString() {
        return "BoundaryRoutes[" + routes + ", otherwise " + otherwise + "]";
    }

    /** Collects routes. Not for use by several threads. */
    public static final class Builder {
        private final List<Route> routes = new ArrayList<>();
        private final Boundary otherwise;

        private Builder(Boundary otherwise) {
            this.otherwise = otherwise;
        }

        /**
         * Adds a route for every method.
         *
         * @param pattern which paths, for instance {@code /invoices/**}
         * @param boundary how requests to them are judged
         * @return this builder
         * @throws IllegalArgumentException if the pattern cannot be used
         */
        public Builder route(String pattern, Boundary boundary) {
            routes.add(new Route(null, PathPattern.parse(pattern), Objects.requireNonNull(boundary, "boundary")));
            return this;
        }

        /**
         * Adds a route for one method.
         *
         * @param method the method, for instance {@code POST}
         * @param pattern which paths
         * @param boundary how requests to them are judged
         * @return this builder
         * @throws IllegalArgumentException if the pattern cannot be used
         */
        public Builder route(String method, String pattern, Boundary boundary) {
            routes.add(new Route(
                    method.toUpperCase(Locale.ROOT),
                    PathPattern.parse(pattern),
                    Objects.requireNonNull(boundary, "boundary")));
            return this;
        }

        /**
         * Leaves requests alone: they are neither judged nor bound, unless a longer pattern is a route's.
         *
         * @param pattern which paths
         * @return this builder
         * @throws IllegalArgumentException if the pattern cannot be used
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
