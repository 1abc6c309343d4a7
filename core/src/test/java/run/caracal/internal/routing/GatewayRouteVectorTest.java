package run.caracal.internal.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import java.util.Locale;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;
import run.caracal.error.RoutingException;
import run.caracal.internal.routing.Router.Binding;
import run.caracal.vectors.VectorCase;
import run.caracal.vectors.VectorObject;
import run.caracal.vectors.VectorTests;

class GatewayRouteVectorTest {
    static final Pattern DOTS_BEFORE_SEMICOLON =
            Pattern.compile("(/|%2f)(\\.|%2e){1,2}(;|%3b)", Pattern.CASE_INSENSITIVE);

    @VectorTests("gateway-route")
    void routes(VectorCase vector) {
        VectorObject config = vector.input().object("config");
        String gateway = config.stringOrNull("gateway_url");
        List<Binding> bindings = config.objects("resources").stream()
                .map(binding -> new Binding(binding.string("resource_id"), binding.string("upstream_prefix")))
                .toList();
        String url = vector.input().string("url");
        String explicit = vector.input().stringOrNull("explicit_resource");
        Router router = new Router(gateway, bindings);

        if (vector.error() != null) {
            assertThatThrownBy(() -> router.route(url, explicit)).isInstanceOf(RoutingException.class);
            return;
        }
        Route route;
        try {
            route = router.route(url, explicit);
        } catch (RoutingException refused) {
            assertRefusalIsRight(vector.expected(), url, bindings, explicit, String.valueOf(refused.getMessage()));
            return;
        }
        VectorObject expected = vector.expected();
        if (expected.hasValue("after_httpx_normalization")) {
            // Scheme, host case, default port and illegal characters of a request line are normalised, as httpx does.
            expected = expected.object("after_httpx_normalization");
        }
        VectorObject routed = expected.objectOrNull("routed");
        if (routed != null) {
            assertThat(route).isInstanceOfSatisfying(Route.Rewritten.class, rewritten -> {
                assertThat(normalised(rewritten.url()))
                        .isEqualTo(withParameters(normalised(routed.string("url")), url));
                assertThat(rewritten.resource()).isEqualTo(routed.string("resource_id"));
            });
        } else if (expected.bool("targets_gateway")) {
            assertThat(route).isInstanceOf(Route.AtGateway.class);
        } else {
            assertThat(route).isInstanceOf(Route.PassThrough.class);
        }
    }

    /**
     * A refusal stands for "not routed, not the Gateway" (the peer sends such a request without identity). Where the peer
     * does route, it is right only for a resource that is not configured, for an empty segment, which the Gateway
     * answers with a redirect, and for dots before a semicolon, which receivers read in different ways.
     */
    private static void assertRefusalIsRight(
            VectorObject expected, String url, List<Binding> bindings, @Nullable String explicit, String message) {
        String path = url.split("[?#]", 2)[0];
        if (message.contains("X-Caracal-Resource")) {
            assertThat(explicit).isNotEmpty();
            assertThat(bindings).noneMatch(binding -> binding.resource().equals(explicit));
        } else if (message.contains("empty segment")) {
            assertThat(path.substring(path.indexOf("://") + 3)).contains("//");
        } else if (!DOTS_BEFORE_SEMICOLON.matcher(path).find()) {
            assertThat(expected.hasValue("routed"))
                    .as("routed by the peer, but here: " + message)
                    .isFalse();
            assertThat(expected.bool("targets_gateway")).as(message).isFalse();
        }
    }

    /** The peer drops the {@code ;parameters} of the last segment, an accident of its parser; here the path is kept. */
    private static String withParameters(String routed, String url) {
        String path = url.split("[?#]", 2)[0];
        int parameters = path.indexOf(';', path.lastIndexOf('/'));
        if (parameters < 0) {
            return routed;
        }
        int question = routed.indexOf('?');
        int end = question < 0 ? routed.length() : question;
        String kept = routed.substring(0, end).endsWith(path.substring(parameters)) ? "" : path.substring(parameters);
        return routed.substring(0, end) + kept + routed.substring(end);
    }

    /** Scheme and host in lower case; the rest as it is. */
    private static String normalised(String url) {
        int path = url.indexOf('/', url.indexOf("://") + 3);
        return url.substring(0, path).toLowerCase(Locale.ROOT) + url.substring(path);
    }
}
