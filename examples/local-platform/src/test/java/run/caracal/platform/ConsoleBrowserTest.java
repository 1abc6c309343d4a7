package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.abort;
import static run.caracal.platform.ConsoleScene.BILLING;
import static run.caracal.platform.ConsoleScene.BOOKS;
import static run.caracal.platform.ConsoleScene.LEDGER;
import static run.caracal.platform.ConsoleScene.ORDERS;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.WebElement;

/** The console's page in a real browser; skipped, with the reason, where there is none. */
final class ConsoleBrowserTest {

    private static final Duration LIMIT = Duration.ofSeconds(10);

    private static Browser browser;

    private static ConsoleScene shared;

    private ConsoleScene scene;

    @BeforeAll
    static void openBrowser(@TempDir Path profile) {
        browser = Browser.open(profile).orElseGet(() -> {
            String reason = "The console's page is not tested: chromium and chromedriver are not both on the PATH.";
            System.out.println(reason);
            return abort(reason);
        });
        shared = new ConsoleScene();
    }

    @AfterAll
    static void closeBrowser() {
        if (browser != null) {
            browser.close();
            shared.close();
        }
    }

    @BeforeEach
    void leaveTheLastPage() {
        scene = shared;
        browser.leave();
        shared.platform.reset();
        scene = shared;
    }

    private void open(String address) {
        browser.open(scene.url() + address, 1440, 900, "light");
        browser.with("#state", "Live");
    }

    @CanIgnoreReturnValue
    private static WebElement session(String label) {
        return browser.with("#sessions .row", label);
    }

    private static void click(String css, String text) {
        browser.with(css, text).click();
    }

    private static String attribute(WebElement element, String name) {
        return Objects.requireNonNullElse(element.getDomAttribute(name), "");
    }

    private static void assertNoComplaints() {
        assertThat(browser.complaints()).isEmpty();
    }

    /** A session that holds a delegation from its parent. */
    private record Agent(String source, String target, String edge) {}

    @CanIgnoreReturnValue
    private Agent agent(String... scopes) {
        String source = scene.session(ORDERS, null, "order-worker", "lifecycle", "service");
        String target = scene.session(
                scene.bearer(ORDERS),
                ORDERS,
                source,
                List.of("invoice-4711", "billing", "eu-west"),
                "ttl_seconds",
                900);
        return new Agent(source, target, scene.delegation(ORDERS, source, ORDERS, target, BILLING, scopes));
    }

    @Test
    void anEmptyPlatformSaysWhatWillAppear() {
        open("");
        assertThat(browser.find("#sessions-empty").getText()).contains("No session yet");
        assertThat(browser.find("#delegations-empty").getText()).contains("No delegation yet");
        assertThat(browser.find("#audit-empty").getText()).contains("Nothing decided yet");
        assertThat(browser.find("#detail-empty").getText()).contains("Nothing selected");
        assertThat(browser.find("#holds").isDisplayed()).isFalse();
        assertNoComplaints();
    }

    @Test
    void sessionsAppearAsATreeAsTheyOpenAndLeaveAsTheyEnd() {
        open("");
        String worker = scene.session(ORDERS, null, "worker", "lifecycle", "service");
        String task = scene.session(ORDERS, worker, "task");
        scene.session(ORDERS, task, "step");
        scene.session(LEDGER, null, "keeper");
        assertThat(attribute(session("step"), "aria-level")).isEqualTo("3");
        assertThat(attribute(session("task"), "aria-level")).isEqualTo("2");
        assertThat(attribute(session("worker"), "aria-level")).isEqualTo("1");
        assertThat(attribute(session("keeper"), "aria-level")).isEqualTo("1");
        assertThat(attribute(session("worker"), "aria-setsize")).isEqualTo("2");
        browser.with("#session-count", "4 open");

        var unused = Http.agents(scene.platform, scene.bearer(ORDERS), "DELETE", "/" + task, null);
        browser.with("#session-count", "2 open · 2 ended");
        assertThat(browser.all("#sessions .row")).hasSize(2);
        browser.find("#show-ended").click();
        assertThat(session("task").getText()).contains("terminated");
        assertThat(browser.all("#sessions .row")).hasSize(4);
        assertNoComplaints();
    }

    @Test
    void leasesCountDownAndARenewalFillsThemAgain() {
        String worker = scene.session(ORDERS, null, "worker", "lifecycle", "service");
        open("");
        int first = seconds(session("worker"));
        assertThat(first).isBetween(60, 120);
        browser.until(() -> seconds(session("worker")) < first - 1, "a countdown that falls");
        int before = seconds(session("worker"));
        var unused = Http.agents(
                scene.platform,
                scene.bearer(ORDERS),
                "POST",
                "/" + worker + "/heartbeat",
                Http.json("lease_generation", 1));
        browser.until(() -> seconds(session("worker")) > before, "a countdown that begins again");
    }

    private static int seconds(WebElement row) {
        String[] parts = row.findElement(By.className("time")).getText().strip().split(":", 2);
        return Integer.parseInt(parts[0]) * 60 + Integer.parseInt(parts[1]);
    }

    @Test
    void aRequestIdOpensTheExplanationOfItsCall() {
        Agent agent = agent("billing:charge");
        String request = scene.call(ORDERS, agent.target(), agent.edge(), BILLING, "billing:charge", "/charge")
                .header("X-Request-Id");
        open("");
        browser.submit("#request", request);
        assertExplained(request);

        open("");
        click("#audit .row", "Call made");
        assertExplained(request);

        open("/#request=" + request);
        assertExplained(request);

        browser.submit("#request", "no-such-request");
        browser.with("#detail-body", "No event");
        assertNoComplaints();
    }

    private static void assertExplained(String request) {
        browser.with("#detail-title", "Explain");
        browser.with("#detail-body", "invoice-4711");
        String text = browser.with("#detail-body", "Time line").getText();
        assertThat(text)
                .contains(
                        "Allowed",
                        request,
                        ORDERS,
                        BILLING,
                        "billing:charge",
                        "caracal-orders-mint",
                        "caracal-orders-use",
                        "invoice-4711",
                        "allow");
        assertThat(browser.all("#detail .line li b"))
                .extracting(WebElement::getText)
                .containsExactly("Mandate issued", "Mandate used", "Call made");
    }

    @Test
    void aDeniedCallIsExplainedAsDenied() {
        String source = scene.session(ORDERS, null, "source");
        String target = scene.session(ORDERS, source, "without-a-role");
        String edge = scene.delegation(ORDERS, source, ORDERS, target, BILLING, "billing:read");
        String request =
                scene.mint(ORDERS, target, edge, BILLING, "billing:read").text("requestId");
        open("/#request=" + request);
        assertThat(browser.with("#detail-body", "Time line").getText()).contains("Denied", "deny");
        browser.find("#denied-only").click();
        browser.with("#audit-count", "2 of ");
        assertThat(browser.all("#audit .row")).hasSize(2);
    }

    @Test
    void aHoldIsApprovedOrRejectedByItsButton() {
        Agent agent = agent("billing:refund");
        open("");
        String first = scene.hold(ORDERS, agent.target(), agent.edge());
        assertThat(browser.with(".hold", "billing:refund").getText())
                .contains("extreme", ORDERS, BILLING, "Approve", "Reject");
        assertThat(browser.with("#audit .row", "Held for approval").getText())
                .contains(ORDERS, BILLING, "billing:refund");
        browser.find(".hold .main").click();
        browser.with(".toast", "Approved");
        browser.until(() -> !browser.find("#holds").isDisplayed(), "no hold any more");
        assertThat(stateOf(first)).isEqualTo("approved");
        assertThat(scene.mint(ORDERS, agent.target(), agent.edge(), BILLING, "billing:refund")
                        .status())
                .isEqualTo(200);

        String second = scene.hold(ORDERS, agent.target(), agent.edge());
        click(".hold .button", "Reject");
        browser.with(".toast", "Rejected");
        assertThat(stateOf(second)).isEqualTo("rejected");
        assertNoComplaints();
    }

    private String stateOf(String approval) {
        return scene.platform.approvals().stream()
                .filter(candidate -> candidate.id().equals(approval))
                .findFirst()
                .orElseThrow()
                .state();
    }

    @Test
    void aSessionIsEndedAfterItWasConfirmed() {
        agent("billing:read");
        open("");
        session("order-worker").click();
        click("#detail .danger", "End session");
        assertThat(browser.with("#confirm", "End order-worker?").getText()).contains("1 session below it");
        browser.find("#confirm-no").click();
        assertThat(scene.platform.openSessionCount()).isEqualTo(2);

        click("#detail .danger", "End session");
        browser.find("#confirm-yes").click();
        browser.with(".toast", "2 sessions ended");
        browser.with("#detail-body", "ended by operator");
        browser.with("#sessions-empty", "No session is open");
        assertThat(scene.platform.openSessionCount()).isZero();
        assertNoComplaints();
    }

    @Test
    void aDelegationIsRevokedAfterItWasConfirmed() {
        Agent agent = agent("billing:read");
        open("");
        click("#delegations .row", "billing:read");
        assertThat(browser.with("#detail-body", agent.edge()).getText()).contains("order-worker", "invoice-4711");
        click("#detail .danger", "Revoke");
        browser.find("#confirm-yes").click();
        browser.with(".toast", "1 delegation revoked, 1 session ended");
        browser.with("#delegations .row", "revoked");
        assertThat(scene.platform.delegations())
                .extracting(DelegationSnapshot::status)
                .containsExactly("revoked");
        assertThat(browser.all("#detail .danger")).isEmpty();
        assertNoComplaints();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "<img src=x onerror=\"document.title='owned'\">",
                "\"><script>document.title='owned'</script>",
                "${document.title='owned'}{{constructor}}",
                "\u202Egnp.exe\u0000\uD83D\uDC08"
            })
    void hostileLabelsAndIdsAreText(String hostile) {
        String parent = scene.session(scene.bearer(ORDERS), ORDERS, null, List.of(hostile, hostile, hostile));
        scene.session(ORDERS, parent, "child");
        open("");
        String label = session("child").getText().isEmpty() ? "" : hostile;
        List<WebElement> names = browser.all("#sessions .row .name");
        assertThat(names.get(0).getDomProperty("textContent")).isEqualTo(label);
        names.get(0).click();
        browser.with("#detail-title", "Session");
        assertThat(browser.run("return document.querySelector('#detail .lead').textContent"))
                .asString()
                .startsWith(hostile);
        browser.submit("#request", hostile);
        browser.with("#detail-body", "No event");
        open("/#session=" + hostile.replaceAll("[^\\x21-\\x7e]", ""));
        browser.with("#detail-body", "Not known");
        assertThat(browser.run("return document.title")).isEqualTo("Caracal console");
        assertThat(browser.all("img, main script, #sessions [onerror]")).isEmpty();
        assertNoComplaints();
    }

    @Test
    void aHostileRequestIdIsText() {
        String hostile = "<svg/onload=document.title='owned'>";
        Map<String, List<String>> form = Http.tokenForm(scene.platform);
        var unused = Http.form(Http.tokenUrl(scene.platform), form, Map.of("X-Request-Id", hostile));
        open("");
        click("#audit .row", "Token exchange");
        assertThat(browser.with("#detail-body", "Time line").getText()).contains(hostile);
        assertThat(browser.run("return document.title")).isEqualTo("Caracal console");
        assertNoComplaints();
    }

    @Test
    void tenThousandSessionsStayUsable() {
        ConsoleState.Source source = ConsoleScene.withoutClients(PlatformLimits.builder()
                .sessionsPerZone(20_000)
                .sessionsPerApplication(20_000)
                .build());
        for (int i = 1; i <= 10_000; i++) {
            ConsoleScene.opened(source.sessions(), "job-" + i);
        }
        Network network = new Sockets();
        Console.Bound console =
                Console.open(0, source, network).blockOptional(LIMIT).orElseThrow();
        try {
            assertUsable(console.url(), source.sessions());
        } finally {
            console.close().then(network.close()).block(LIMIT);
        }
    }

    private static void assertUsable(String url, Sessions sessions) {
        browser.open(url, 1440, 900, "light");
        browser.with("#session-count", "10,000 open");
        assertThat(browser.all("#sessions .row")).hasSizeBetween(5, 60);

        browser.find("#sessions").sendKeys(Keys.END);
        WebElement last = browser.find("#sessions .row.active");
        assertThat(attribute(last, "aria-posinset")).isEqualTo("10000");
        browser.type("#session-filter", "job-777");
        browser.until(() -> browser.all("#sessions .row").size() == 11, "job-777 and job-7770 to job-7779");
        assertThat(millis("showSessions()")).isLessThan(1000);
        browser.run("document.getElementById('session-filter').value = ''; showSessions()");
        assertThat(millis("showSessions()")).isLessThan(1000);
        String late = ConsoleScene.opened(sessions, "the-last-one");
        browser.with("#session-count", "10,001 open");
        browser.type("#session-filter", late);
        session("the-last-one");
        assertNoComplaints();
    }

    private static double millis(String script) {
        Object millis =
                browser.run("const begun = performance.now(); " + script + "; return performance.now() - begun");
        return ((Number) millis).doubleValue();
    }

    @Test
    void everythingIsDoneByKeys() {
        agent("billing:read");
        open("");
        session("invoice-4711");
        browser.press(Keys.TAB);
        assertThat(browser.focused().getText()).isEqualTo("Skip to the sessions");
        browser.press(Keys.ENTER);
        assertThat(attribute(browser.focused(), "id")).isEqualTo("sessions");
        assertActive("order-worker");
        browser.press(Keys.ARROW_LEFT);
        assertThat(attribute(session("order-worker"), "aria-expanded")).isEqualTo("false");
        assertThat(browser.all("#sessions .row")).hasSize(1);
        browser.press(Keys.ARROW_RIGHT);
        browser.press(Keys.ARROW_RIGHT);
        assertActive("invoice-4711");
        browser.press(Keys.ARROW_LEFT);
        assertActive("order-worker");
        browser.press(Keys.ARROW_DOWN, Keys.ENTER);
        browser.with("#detail-body", "invoice-4711");
        assertThat(attribute(browser.focused(), "id")).isEqualTo("detail-title");
        browser.press(Keys.ESCAPE);
        browser.with("#detail-empty", "Nothing selected");
        assertThat(attribute(browser.focused(), "id")).isEqualTo("sessions");

        browser.press(Keys.DELETE);
        browser.with("#confirm", "End invoice-4711?");
        assertThat(browser.focused().getText()).isEqualTo("Cancel");
        browser.press(Keys.ENTER);
        assertThat(attribute(browser.focused(), "id")).isEqualTo("sessions");
        browser.press(Keys.DELETE);
        browser.press(Keys.TAB);
        browser.press(Keys.ENTER);
        browser.with(".toast", "1 session ended");
        assertThat(scene.platform.openSessionCount()).isOne();
        assertNoComplaints();
    }

    private static void assertActive(String label) {
        String id = attribute(browser.find("#sessions"), "aria-activedescendant");
        assertThat(browser.find("#" + id).getText()).contains(label);
    }

    @Test
    void everyControlHasANameAndEveryListItsRole() {
        Agent agent = agent("billing:refund");
        scene.hold(ORDERS, agent.target(), agent.edge());
        open("/#session=" + agent.target());
        browser.with(".hold", "billing:refund");
        browser.with("#detail .danger", "End session");
        for (WebElement control :
                browser.all("button:not([aria-hidden]), input, [role=tree], [role=listbox], section")) {
            assertThat(!control.isDisplayed()
                            || !Objects.requireNonNullElse(control.getAccessibleName(), "")
                                    .isBlank())
                    .as(control.getDomProperty("outerHTML"))
                    .isTrue();
        }
        assertThat(session("invoice-4711").getAccessibleName())
                .contains("billing", "eu-west", "task active", agent.target());
        assertThat(browser.find(".hold .main").getAccessibleName()).isEqualTo("Approve billing:refund for orders");
    }

    @ParameterizedTest
    @CsvSource({"light, 1440", "dark, 1440", "light, 1024", "dark, 1024", "light, 412", "dark, 412"})
    void textIsReadableInLightAndDarkAndNothingIsWiderThanThePage(String scheme, int width) {
        Agent agent = agent("billing:read", "billing:refund");
        scene.call(ORDERS, agent.target(), agent.edge(), BILLING, "billing:read", "/invoices");
        scene.hold(ORDERS, agent.target(), agent.edge());
        browser.open(scene.url(), width, 900, scheme);
        browser.with("#state", "Live");
        browser.with(".hold", "billing:refund");
        session("invoice-4711").click();
        browser.with("#detail-body", "Holds");
        assertThat((String) browser.run("return getComputedStyle(document.body).backgroundColor"))
                .isEqualTo(scheme.equals("dark") ? "rgb(20, 19, 17)" : "rgb(246, 244, 240)");
        assertThat((Long) browser.run("return document.documentElement.scrollWidth"))
                .isLessThanOrEqualTo(width);
        assertThat(browser.run(CONTRAST)).isEqualTo(List.of());
    }

    /** The visible texts whose contrast with their background is below WCAG's minimum. */
    private static final String CONTRAST = """
            const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
            const rgba = colour => { canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
              return canvas.getImageData(0, 0, 1, 1).data; };
            const light = colour => { const [r, g, b] = [...rgba(colour)].map(v => v / 255)
              .map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4); return .2126 * r + .7152 * g + .0722 * b; };
            const behind = element => { for (let e = element; e; e = e.parentElement) {
              const colour = getComputedStyle(e).backgroundColor; if (rgba(colour)[3] === 255) return colour; } return "white"; };
            return [...document.querySelectorAll("body *")].filter(e => e.checkVisibility({ opacityProperty: true })
                && !e.closest(".unseen, .skip, .toast, svg, script, style")
                && [...e.childNodes].some(n => n.nodeType === 3 && n.data.trim()))
              .map(e => { const a = light(getComputedStyle(e).color), b = light(behind(e));
                return [e.className + ": " + e.textContent, (Math.max(a, b) + .05) / (Math.min(a, b) + .05)]; })
              .filter(([, ratio]) => ratio < 4.5).map(([text, ratio]) => text + " " + ratio.toFixed(2));
            """;

    @Test
    void aPlatformThatEndsIsSaidToHaveEnded() {
        scene = new ConsoleScene();
        scene.session(ORDERS, null, "worker");
        open("");
        session("worker");
        scene.close();
        browser.with("#lost", "The platform does not answer");
        browser.with("#state", "Reconnecting");
        session("worker");
    }

    /** The picture of the guide. */
    @Test
    void hasItsPictureTaken() {
        Agent agent = agent("billing:charge", "billing:read", "billing:refund");
        String bearer = scene.bearer(ORDERS);
        scene.session(ORDERS, agent.target(), "vat-lookup", "ttl_seconds", 45);
        String stock = scene.session(ORDERS, agent.source(), "reserve-stock", "ttl_seconds", 90);
        Map<String, @Nullable Object> alice = Http.claims(Http.token(
                scene.platform, Http.federationForm(scene.platform, scene.platform.idToken("alice@example.com"))));
        Object subject = Objects.requireNonNull(alice.get("sid"));
        String chat = scene.session(bearer, ORDERS, null, List.of("support-chat"), "subject_session_id", subject);
        scene.session(bearer, ORDERS, chat, List.of("refund"), "subject_session_id", subject, "ttl_seconds", 300);
        String keeper = scene.session(LEDGER, null, "ledger-keeper", "lifecycle", "service");
        String day = scene.session(LEDGER, keeper, "close-of-day");
        scene.delegation(ORDERS, agent.source(), LEDGER, day, BOOKS, "ledger:append");
        String edge = scene.delegation(ORDERS, agent.source(), ORDERS, stock, BILLING, "billing:read");
        scene.mint(ORDERS, stock, edge, BILLING, "billing:read");
        String request = scene.call(ORDERS, agent.target(), agent.edge(), BILLING, "billing:charge", "/charge")
                .header("X-Request-Id");
        scene.hold(ORDERS, agent.target(), agent.edge());
        open("/#request=" + request);
        browser.with(".hold", "billing:refund");
        assertExplained(request);
        browser.picture(Path.of("target", "console.png"));
    }
}
