package run.caracal.internal.routing;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.error.ConfigurationException;
import run.caracal.error.RoutingException;
import run.caracal.internal.routing.Route.AtGateway;
import run.caracal.internal.routing.Route.PassThrough;
import run.caracal.internal.routing.Route.Rewritten;
import run.caracal.internal.routing.Router.Binding;

class RouterTest {
    private static final Router PROXY =
            new Router("https://gw.example.com/proxy", List.of(new Binding("r", "https://api.example.com/api")));

    private static void assertRefused(Router router, String url) {
        assertThatThrownBy(() -> router.route(url, null))
                .as(url)
                .isInstanceOf(RoutingException.class)
                .hasMessageContaining("othing was sent");
    }

    @Nested
    class Refusing {
        @ParameterizedTest
        @ValueSource(
                strings = {
                    "/unrelated",
                    "/proxy-evil",
                    "/proxy-evil/x",
                    "",
                    "/",
                    "/PROXY/x",
                    "//proxy/x",
                    "/proxy/../x",
                    "/proxy/..",
                    "/proxy/./x",
                    "/proxy/%2e%2e/x",
                    "/proxy/.%2E/x",
                    "/proxy/%252e%252e/x",
                    "/proxy/%25252e%25252e/x",
                    "/proxy%2f..%2fx",
                    "/proxy/..;/x",
                    "/proxy/..;a=b/x",
                    "/proxy/..%3b/x",
                    "/proxy/a\\b",
                    "/proxy/..\\x",
                    "/proxy/%5c..%5cx",
                    "/proxy/%255c",
                    "/proxy%2fx",
                    "/%70roxy/x",
                    "/proxy//",
                    "/proxy///",
                    "/proxy//x",
                    "/proxy/a//b",
                    "/proxy/x//",
                    "/proxy/%ff"
                })
        void givesNoAuthorityOutsideTheGatewaysBasePath(String path) {
            assertRefused(PROXY, "https://gw.example.com" + path);
        }

        @ParameterizedTest
        @ValueSource(
                strings = {
                    "https://api.example.com/api/../x",
                    "https://api.example.com/api/%2e%2e/x",
                    "https://api.example.com/api/%252e/x",
                    "https://api.example.com/api/a\\b",
                    "https://api.example.com/other/..",
                    "https://api.example.com/api//",
                    "https://api.example.com/api//x",
                    "https://api.example.com/api/x//",
                    "https://api.example.com/api/a//b?q",
                    "https://api.example.com/api/%ff"
                })
        void refusesTraversalOnABoundOrigin(String url) {
            assertRefused(PROXY, url);
            assertThatThrownBy(() -> PROXY.route(url, "r")).isInstanceOf(RoutingException.class);
        }

        /** A receiver that decodes repeatedly could reach another path, and no honest path is encoded eight times. */
        @Test
        void refusesWhatIsEncodedTooOften() {
            String deepest = "https://gw.example.com/proxy/%" + "25".repeat(6) + "41";

            assertThat(PROXY.route(deepest, null)).isEqualTo(new AtGateway(deepest));
            assertRefused(PROXY, "https://gw.example.com/proxy/%" + "25".repeat(7) + "41");
        }

        @Test
        void refusesCredentialsTowardsTheGatewayAndBoundOrigins() {
            assertRefused(PROXY, "https://user:pw@gw.example.com/proxy/x");
            assertRefused(PROXY, "https://user:pw@api.example.com/api/x");
            assertThat(PROXY.route("https://gw.example.com@evil.net/proxy/x", null))
                    .isEqualTo(new PassThrough("https://evil.net"));
        }

        @Test
        void messagesRepeatNoSecretOfTheUrl() {
            assertThatThrownBy(() -> PROXY.route("https://user:hunter2@gw.example.com/proxy/../x?token=hunter3", null))
                    .isInstanceOf(RoutingException.class)
                    .message()
                    .contains("https://gw.example.com/proxy/../x")
                    .doesNotContain("hunter");
        }

        @Test
        void messagesCutALongPath() {
            String path = "/proxy/../" + "x".repeat(190);

            assertThatThrownBy(() -> PROXY.route("https://gw.example.com" + path, null))
                    .hasMessageContaining("https://gw.example.com" + path + " has");
            assertThatThrownBy(() -> PROXY.route("https://gw.example.com" + path + "y", null))
                    .hasMessageContaining("https://gw.example.com" + path + "... has");
        }

        @ParameterizedTest
        @ValueSource(
                strings = {
                    "https://api.example.com/%61pi/x",
                    "https://api.example.com/%2561pi/x",
                    "https://api.example.com/api%2fx",
                    "https://api.example.com/api%2f"
                })
        void refusesAPathThatIsUnderAPrefixOnlyWhenDecoded(String url) {
            assertRefused(PROXY, url);
            assertThatThrownBy(() -> PROXY.route(url, "r")).isInstanceOf(RoutingException.class);
        }

        @Test
        void refusesAPathThatIsUnderALongerPrefixOnlyWhenDecoded() {
            Router router = new Router(
                    "https://gw.example.com",
                    List.of(
                            new Binding("all", "https://api.example.com"),
                            new Binding("admin", "https://api.example.com/admin")));

            assertRefused(router, "https://api.example.com/%61dmin/x");
            assertThat(router.route("https://api.example.com/%78/admin", null))
                    .isEqualTo(new Rewritten("https://gw.example.com/%78/admin", "all"));
        }

        @Test
        void refusesThePlainFormOfAPrefixWithEscapes() {
            Router router =
                    new Router("https://gw.example.com", List.of(new Binding("r", "https://api.example.com/%61pi")));

            assertRefused(router, "https://api.example.com/api/x");
            assertThat(router.route("https://api.example.com/%61pi/x", null))
                    .isEqualTo(new Rewritten("https://gw.example.com/x", "r"));
        }

        @ParameterizedTest
        @ValueSource(
                strings = {
                    "",
                    "/a/b",
                    "//api.example.com/a",
                    "api.example.com/a",
                    "mailto:a@example.com",
                    "ftp://api.example.com/",
                    "wss://api.example.com/",
                    " https://api.example.com/",
                    "https:/api.example.com/",
                    "https:///a",
                    "https://",
                    "https://:443/",
                    "https://@/",
                    "https://api.example.com\\@evil.net/a",
                    "https://api.example.com\\.evil.net/a",
                    "https://api example.com/",
                    "https://api%2eexample.com/",
                    "https://api.example.com:x/",
                    "https://api.example.com:65536/",
                    "https://api.example.com:99999999999/",
                    "https://[::1/",
                    "https://[::1]x/",
                    "https://[::g]/",
                    "https://[1]/",
                    "https://[fe80::1%25]/",
                    "https://[fe80::1%]/",
                    "https://[fe80::1%25a/b]/",
                    "https://[%25eth0]/",
                    "https://./",
                    "https://[::\uff11]/",
                    "https://::1/",
                    "https://a\u2100b.example/",
                    "https://api.example.com/a\nb",
                    "https://api.example.com/a\r\nHost: evil",
                    "https://api.example.com/\u0000",
                    "https://api.example.com/\ud83d",
                    "https://api.example.com/\ud83da",
                    "https://api.example.com/\ud83d\ud83d",
                    "https://api.example.com/\ude00",
                    "https://api.example.com/\ud83d\ude00\ude00"
                })
        void refusesWhatCannotBeParsed(String url) {
            assertRefused(PROXY, url);
            assertRefused(new Router(null, List.of()), url);
        }

        @ParameterizedTest
        @ValueSource(strings = {"resource://\u03c0", "resource://\u03bb", "caf\u00e9", "a b", "a\u007f"})
        void refusesAResourceThatNoHeaderCarries(String resource) {
            assertThatThrownBy(() -> PROXY.gatewayUrl(resource, "/"))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("visible ASCII");
        }

        @Test
        void refusesBlanksAndControlCharactersInGatewayRequests() {
            for (String bad : List.of("a b", "a\tb", "a\nb", "a\u0000b", "a\u00a0b", "a\u007fb")) {
                assertThatThrownBy(() -> PROXY.gatewayUrl(bad, "/")).isInstanceOf(IllegalArgumentException.class);
                assertThatThrownBy(() -> PROXY.gatewayUrl("r", "/" + bad)).isInstanceOf(IllegalArgumentException.class);
            }
            assertThatThrownBy(() -> PROXY.gatewayUrl("r", "//")).isInstanceOf(IllegalArgumentException.class);
            assertThatThrownBy(() -> PROXY.gatewayUrl("r", "/%ff")).isInstanceOf(IllegalArgumentException.class);
        }

        @ParameterizedTest
        @ValueSource(
                strings = {
                    "a:x", "z:x", "A:x", "Z:x", "a0:x", "a9:x", "a+:x", "a-:x", "a.:x", "//host", "///a", "/a//b",
                    "a//", "#f", "/a#f", "..", "../x", "./x", ".", "\\x"
                })
        void refusesGatewayRequestsThatCouldLeadElsewhere(String path) {
            assertThatThrownBy(() -> PROXY.gatewayUrl("r", path)).isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Nested
    class Matching {
        @ParameterizedTest
        @ValueSource(
                strings = {
                    "https://gw.example.com/proxy",
                    "https://gw.example.com/proxy/",
                    "https://gw.example.com/proxy/x",
                    "https://gw.example.com/proxy/a%2F%2Fb",
                    "https://gw.example.com/proxy/x?to=http://x//y",
                    "https://gw.example.com/proxy?x=/../",
                    "https://gw.example.com/proxy/a..b/...c/.d",
                    "HTTPS://GW.example.com:443/proxy/x?q=%zz#f"
                })
        void leavesAnAddressAtTheGatewayAlone(String url) {
            assertThat(PROXY.route(url, null)).isEqualTo(new AtGateway(url));
            assertThat(PROXY.route(url, "resource-of-a-gateway-request")).isEqualTo(new AtGateway(url));
        }

        @Test
        void leavesTheRestOfTheWorldAlone() {
            for (String url : List.of(
                    "https://other.example.com/a/../b",
                    "https://other.example.com/a%5cb",
                    "https://user:pw@other.example.com/",
                    "https://gw.example.com.evil.net/proxy/x",
                    "https://evil.net/https://gw.example.com/proxy/x")) {
                assertThat(PROXY.route(url, null)).isInstanceOf(PassThrough.class);
            }
        }

        @Test
        void matchesAPrefixWithEscapes() {
            Router router = new Router(
                    "https://gw.example.com", List.of(new Binding("r", "https://api.example.com/caf%C3%A9")));

            assertThat(router.route("https://api.example.com/caf%C3%A9/x", null))
                    .isEqualTo(new Rewritten("https://gw.example.com/x", "r"));
            assertThat(router.route("https://api.example.com/caf\u00e9/x", null))
                    .isEqualTo(new Rewritten("https://gw.example.com/x", "r"));
            assertRefused(router, "https://api.example.com/caf%c3%a9/x");
            assertThat(router.route("https://api.example.com/cafe/x", null))
                    .isEqualTo(new PassThrough("https://api.example.com"));
        }

        @Test
        void theLongestPrefixWinsInEveryOrder() {
            List<Binding> bindings = new ArrayList<>(List.of(
                    new Binding("base", "https://api.example.com"),
                    new Binding("v1", "https://api.example.com/v1"),
                    new Binding("users", "https://api.example.com/v1/users"),
                    new Binding("users/", "https://API.example.com:443/v1/users/")));
            for (int i = 0; i < 2; i++) {
                Router router = new Router("https://gw.example.com", bindings);

                assertThat(router.route("https://api.example.com/v1/users/7", null))
                        .isEqualTo(new Rewritten("https://gw.example.com/7", "users/"));
                assertThat(router.route("https://api.example.com/v1/users", null))
                        .isEqualTo(new Rewritten("https://gw.example.com/", "users"));
                assertThat(router.route("https://api.example.com/v1/usersx/7", null))
                        .isEqualTo(new Rewritten("https://gw.example.com/usersx/7", "v1"));
                assertThat(router.route("https://api.example.com/v1x/users", null))
                        .isEqualTo(new Rewritten("https://gw.example.com/v1x/users", "base"));
                assertThat(router.route("https://api.example.com", null))
                        .isEqualTo(new Rewritten("https://gw.example.com/", "base"));
                Collections.reverse(bindings);
            }
        }

        @Test
        void theFirstOfTwoEqualPrefixesWins() {
            Router router = new Router(
                    "https://gw.example.com",
                    List.of(
                            new Binding("first", "https://api.example.com/v1"),
                            new Binding("second", "https://api.example.com/v1")));

            assertThat(router.route("https://api.example.com/v1/x", null))
                    .isEqualTo(new Rewritten("https://gw.example.com/x", "first"));
            assertThat(router.route("https://api.example.com/v1/x", "second"))
                    .isEqualTo(new Rewritten("https://gw.example.com/x", "second"));
        }

        @Test
        void theLongestPrefixOfANamedResourceIsTakenOff() {
            List<Binding> bindings = new ArrayList<>(List.of(
                    new Binding("r", "https://api.example.com"),
                    new Binding("r", "https://api.example.com/v1/users"),
                    new Binding("r", "https://api.example.com/v1"),
                    new Binding("r", "https://other.example.com/v1/users/7")));
            for (int i = 0; i < 2; i++) {
                Router router = new Router("https://gw.example.com", bindings);

                assertThat(router.route("https://api.example.com/v1/users/7", "r"))
                        .isEqualTo(new Rewritten("https://gw.example.com/7", "r"));
                assertThat(router.route("https://api.example.com/v1/usersx/7", "r"))
                        .isEqualTo(new Rewritten("https://gw.example.com/usersx/7", "r"));
                Collections.reverse(bindings);
            }
        }

        @Test
        void findsOneOfThousandsOfBindings() {
            List<Binding> bindings = new ArrayList<>();
            for (int i = 0; i < 5_000; i++) {
                bindings.add(new Binding("r" + i, "https://api.example.com/tenants/" + i));
            }
            Router router = new Router("https://gw.example.com", bindings);

            for (int i = 0; i < 5_000; i += 7) {
                assertThat(router.route("https://api.example.com/tenants/" + i + "/x/y", null))
                        .isEqualTo(new Rewritten("https://gw.example.com/x/y", "r" + i));
            }
            assertThat(router.route("https://api.example.com/tenants/5000/x", null))
                    .isEqualTo(new PassThrough("https://api.example.com"));
        }

        @Test
        void aBindingAtTheGatewaysOriginIsHonoured() {
            Router router =
                    new Router("http://localhost:8081/gw", List.of(new Binding("r", "http://localhost:8081/upstream")));

            assertThat(router.route("http://localhost:8081/upstream/x", null))
                    .isEqualTo(new Rewritten("http://localhost:8081/gw/x", "r"));
            assertRefused(router, "http://localhost:8081/other");
            assertThatThrownBy(() -> router.route("http://localhost:8081/other", "r"))
                    .isInstanceOf(RoutingException.class);
        }

        // The named resource

        @Test
        void aNamedResourceMustBeConfigured() {
            assertThatThrownBy(() -> PROXY.route("https://elsewhere.example.com/x", "unknown"))
                    .isInstanceOf(RoutingException.class)
                    .hasMessageContaining("unknown")
                    .hasMessageContaining("CARACAL_RESOURCES");
            assertThatThrownBy(() -> PROXY.route("https://elsewhere.example.com/x", "a\r\nb"))
                    .isInstanceOf(RoutingException.class)
                    .message()
                    .doesNotContain("\n");
            String longest = "r".repeat(100);
            assertThatThrownBy(() -> PROXY.route("https://elsewhere.example.com/x", longest))
                    .hasMessageContaining("\"" + longest + "\"");
            assertThatThrownBy(() -> PROXY.route("https://elsewhere.example.com/x", longest + "s"))
                    .hasMessageContaining("\"" + longest + "...\"");
            Router router = new Router("https://gw.example.com", List.of(), List.of("no-prefix"));
            assertThat(router.route("https://elsewhere.example.com/x?q", "no-prefix"))
                    .isEqualTo(new Rewritten("https://gw.example.com/x?q", "no-prefix"));
        }

        @Test
        void withoutAGatewayNothingIsRouted() {
            Router router = new Router(null, List.of(new Binding("r", "https://api.example.com/api")));

            assertThat(router.route("https://api.example.com/api/x", "r"))
                    .isEqualTo(new PassThrough("https://api.example.com"));
            assertThatThrownBy(() -> router.gatewayUrl("r", "/"))
                    .isInstanceOf(ConfigurationException.class)
                    .hasMessageContaining("CARACAL_GATEWAY_URL")
                    .hasMessageContaining("gateway_url");
        }

        @Test
        void namesAConfiguredAddressThatCannotBeUsed() {
            assertThatThrownBy(() -> new Router("localhost:8081", List.of()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("CARACAL_GATEWAY_URL");
            assertThatThrownBy(() -> new Router("https://user:pw@gw.example.com", List.of()))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("credentials")
                    .message()
                    .doesNotContain("pw");
            assertThatThrownBy(() -> new Router(
                            "https://gw.example.com", List.of(new Binding("r", "https://api.example.com/../x"))))
                    .isInstanceOf(IllegalArgumentException.class)
                    .hasMessageContaining("upstream prefix of r");
        }
    }

    @Nested
    class Addresses {
        @ParameterizedTest
        @CsvSource({
            "https://API.Example.com/api/x",
            "HTTPS://api.example.com/api/x",
            "https://api.example.com:443/api/x",
            "https://api.example.com:/api/x",
            "https://api.example.com:0443/api/x"
        })
        void normalisesSchemeHostAndDefaultPort(String url) {
            assertThat(PROXY.route(url, null)).isEqualTo(new Rewritten("https://gw.example.com/proxy/x", "r"));
        }

        @ParameterizedTest
        @CsvSource(
                delimiter = '|',
                value = {
                    "https://api.example.com|https://api.example.com",
                    "http://API.example.com:80/x|http://api.example.com",
                    "http://api.example.com:443|http://api.example.com:443",
                    "https://api_v1.example.com/|https://api_v1.example.com",
                    "http://LOCALHOST:8080?q|http://localhost:8080",
                    "http://127.0.0.1:8080#f|http://127.0.0.1:8080",
                    "http://[::1]:8080/|http://[0:0:0:0:0:0:0:1]:8080",
                    "httpS://api.example.com/|https://api.example.com",
                    "https://api.example.com/@x|https://api.example.com",
                    "https://AZaz09-._~/|https://azaz09-._~",
                    "http://api.example.com:0/|http://api.example.com:0",
                    "http://api.example.com:65535/|http://api.example.com:65535",
                    "http://[0:0::0:1]:80/|http://[0:0:0:0:0:0:0:1]",
                    "http://[::FFFF:127.0.0.1]/|http://127.0.0.1",
                    "https://b\u00fccher.example/|https://xn--bcher-kva.example",
                    "https://B\u00dcCHER.example/|https://xn--bcher-kva.example",
                    "https://\uff41pi.example.com/|https://api.example.com",
                    "https://user:pw@api.example.com/|https://api.example.com",
                    "https://a@b@api.example.com/|https://api.example.com"
                })
        void namesTheOrigin(String url, String origin) {
            assertThat(Router.origin(url)).isEqualTo(origin);
        }

        @ParameterizedTest
        @CsvSource({
            "http://[fe80::1%25eth0]/, http://[fe80:0:0:0:0:0:0:1%25eth0]",
            "http://[FE80::1%eth0]:80/, http://[fe80:0:0:0:0:0:0:1%25eth0]",
            "http://[fe80::1%25a.b-c_1~]:8080/, http://[fe80:0:0:0:0:0:0:1%25a.b-c_1~]:8080",
            "http://[::1%25lo]/, http://[0:0:0:0:0:0:0:1]"
        })
        void takesAnAddressWithAZoneForAnOriginOfItsOwn(String url, String origin) {
            assertThat(PROXY.route(url, null)).isEqualTo(new PassThrough(origin));
        }

        @Test
        void aZoneHidesNoBoundAddress() {
            Router router = new Router("http://[::1]:8081", List.of(new Binding("r", "http://[fd00::1]/api")));
            assertThat(router.route("http://[::1%25lo]:8081/x", "r"))
                    .isEqualTo(new AtGateway("http://[::1%25lo]:8081/x"));
            assertThat(router.route("http://[fd00::1%25eth0]/api/x", null))
                    .isEqualTo(new Rewritten("http://[::1]:8081/x", "r"));
        }

        @ParameterizedTest
        @ValueSource(
                strings = {
                    "https://gw.example.com./proxy/x",
                    "https://GW.example.com.:443/proxy/x",
                    "https://gw\u3002example\u3002com\u3002/proxy/x"
                })
        void aDotAtTheEndOfTheHostIsTheSameGateway(String url) {
            assertThat(PROXY.route(url, null)).isEqualTo(new AtGateway(url));
            assertRefused(PROXY, url.replace("/proxy", "/admin"));
        }

        @Test
        void aDotAtTheEndOfTheHostIsTheSameBinding() {
            assertThat(PROXY.route("https://api.example.com./api/x", null))
                    .isEqualTo(new Rewritten("https://gw.example.com/proxy/x", "r"));
            Router dotted =
                    new Router("https://gw.example.com.", List.of(new Binding("r", "https://api.example.com./api")));
            assertThat(dotted.route("https://api.example.com/api/x", null))
                    .isEqualTo(new Rewritten("https://gw.example.com./x", "r"));
        }

        @Test
        void escapesWhatCannotStandInARequestLine() {
            assertThat(PROXY.route("https://api.example.com/api/a b{\u00e9}?q=\"\u00e9 {\"", null))
                    .isEqualTo(new Rewritten("https://gw.example.com/proxy/a%20b%7B%C3%A9%7D?q=%22%C3%A9%20{%22", "r"));
            assertThat(PROXY.route("https://api.example.com/api/~\u0080\ud83d\ude00", null))
                    .isEqualTo(new Rewritten("https://gw.example.com/proxy/~%C2%80%F0%9F%98%80", "r"));
            assertThat(PROXY.route("https://gw.example.com/proxy/a b?c d", null))
                    .isEqualTo(new AtGateway("https://gw.example.com/proxy/a%20b?c%20d"));
        }

        @Test
        void keepsPathAndQueryAsTheyAre() {
            assertThat(PROXY.route("https://api.example.com/api/%41;v=1/b;p?x=%20+%zz&&y=?#frag", null))
                    .isEqualTo(new Rewritten("https://gw.example.com/proxy/%41;v=1/b;p?x=%20+%zz&&y=?", "r"));
            assertThat(PROXY.route("https://api.example.com/api/x?", null))
                    .as("an empty query is none")
                    .isEqualTo(new Rewritten("https://gw.example.com/proxy/x", "r"));
        }

        @ParameterizedTest
        @ValueSource(
                strings = {":x", "0a:x", "9:x", "+a:x", "-a:x", ".a:x", "a_b:x", "a/b:x", "?x=/../y", ".a", "a.", "abc"
                })
        void takesGatewayRequestsThatOnlyLookAlike(String path) {
            assertThat(PROXY.gatewayUrl("r", path)).isEqualTo("https://gw.example.com/proxy/" + path);
        }

        @Test
        void theGatewaysAddressIsUsedAsConfiguredButForAnInternationalisedName() {
            assertThat(new Router("https://GW.example.com:443/proxy/", List.of()).gatewayUrl("r", "/x"))
                    .isEqualTo("https://GW.example.com:443/proxy/x");
            assertThat(new Router("https://b\u00fccher.example/gw", List.of()).gatewayUrl("r", "/x"))
                    .isEqualTo("https://xn--bcher-kva.example/gw/x");
        }

        @Test
        void whatLeavesIsAtTheGatewayWhenItIsJudgedAgain() {
            for (String url : List.of(
                    "https://api.example.com/api",
                    "https://api.example.com/api/x/?q=//1",
                    "https://api.example.com/api/a b")) {
                Rewritten first = (Rewritten) PROXY.route(url, null);

                assertThat(PROXY.route(first.url(), first.resource())).isEqualTo(new AtGateway(first.url()));
            }
            String requested = PROXY.gatewayUrl("r", "/a?x=\\..//");
            assertThat(PROXY.route(requested, "r")).isEqualTo(new AtGateway(requested));
        }
    }
}
