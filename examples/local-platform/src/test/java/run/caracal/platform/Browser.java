package run.caracal.platform;

import static org.assertj.core.api.Assertions.assertThat;

import com.google.errorprone.annotations.CanIgnoreReturnValue;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;
import org.openqa.selenium.By;
import org.openqa.selenium.Keys;
import org.openqa.selenium.OutputType;
import org.openqa.selenium.StaleElementReferenceException;
import org.openqa.selenium.WebElement;
import org.openqa.selenium.chrome.ChromeDriver;
import org.openqa.selenium.chrome.ChromeDriverService;
import org.openqa.selenium.chrome.ChromeOptions;
import org.openqa.selenium.logging.LogType;
import org.openqa.selenium.support.ui.WebDriverWait;

/** The Chromium of this machine with its own driver; nothing is downloaded. */
final class Browser implements AutoCloseable {

    private static final Duration LIMIT = Duration.ofSeconds(15);
    private static final String BLANK = "about:blank";
    private static final Duration POLL = Duration.ofMillis(20);
    private static final List<String> FLAGS = List.of(
            "--headless=new",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync");

    private final ChromeDriver driver;

    private Browser(ChromeDriver driver) {
        this.driver = driver;
    }

    /** A browser with an empty profile; none without Chromium and its driver. */
    static Optional<Browser> open(Path profile) {
        return onPath("chromium", "chromium-browser", "google-chrome")
                .flatMap(binary -> onPath("chromedriver").map(driver -> open(profile, binary, driver)));
    }

    private static Browser open(Path profile, Path binary, Path driver) {
        List<String> flags = new ArrayList<>(FLAGS);
        flags.add("--user-data-dir=" + profile);
        if ("root".equals(System.getProperty("user.name"))) {
            flags.add("--no-sandbox");
        }
        ChromeOptions options = new ChromeOptions();
        options.setBinary(binary.toFile());
        options.addArguments(flags);
        ChromeDriverService service = new ChromeDriverService.Builder()
                .usingDriverExecutable(driver.toFile())
                .usingAnyFreePort()
                .build();
        return new Browser(new ChromeDriver(service, options));
    }

    private static Optional<Path> onPath(String... names) {
        String path = Objects.requireNonNullElse(System.getenv("PATH"), "");
        return Stream.of(names)
                .flatMap(name -> Stream.of(path.split(":", -1))
                        .filter(part -> !part.isEmpty())
                        .map(part -> Path.of(part, name)))
                .filter(Files::isExecutable)
                .findFirst();
    }

    /** Opens a page in a window of this size, with this user preference. */
    void open(String url, int width, int height, String scheme) {
        var unused = driver.executeCdpCommand(
                "Emulation.setDeviceMetricsOverride",
                Map.of("width", width, "height", height, "deviceScaleFactor", 1, "mobile", false));
        prefer(scheme);
        driver.get(BLANK);
        driver.get(url);
    }

    /** Leaves the page, and discards its errors. */
    void leave() {
        driver.get(BLANK);
        var unused = complaints();
    }

    private void prefer(String scheme) {
        var unused = driver.executeCdpCommand(
                "Emulation.setEmulatedMedia",
                Map.of("features", List.of(Map.of("name", "prefers-color-scheme", "value", scheme))));
    }

    WebElement find(String css) {
        return driver.findElement(By.cssSelector(css));
    }

    List<WebElement> all(String css) {
        return driver.findElements(By.cssSelector(css));
    }

    /** Waits for the first of these elements that shows a text. */
    @CanIgnoreReturnValue
    WebElement with(String css, String text) {
        until(() -> !matching(css, text).isEmpty(), css + " with " + text);
        return matching(css, text).get(0);
    }

    boolean shows(String css, String text) {
        return !matching(css, text).isEmpty();
    }

    private List<WebElement> matching(String css, String text) {
        return all(css).stream()
                .filter(element -> element.isDisplayed() && element.getText().contains(text))
                .toList();
    }

    /** Waits for a condition, even if the page changes while it is evaluated. */
    void until(BooleanSupplier condition, String what) {
        new WebDriverWait(driver, LIMIT, POLL)
                .ignoring(StaleElementReferenceException.class)
                .withMessage(
                        () -> what + ", but the page shows: " + find("body").getText())
                .until(ignored -> condition.getAsBoolean());
    }

    void press(CharSequence... keys) {
        focused().sendKeys(keys);
    }

    WebElement focused() {
        return driver.switchTo().activeElement();
    }

    void type(String css, String text) {
        WebElement field = find(css);
        field.clear();
        field.sendKeys(text);
    }

    void submit(String css, String text) {
        type(css, text);
        find(css).sendKeys(Keys.ENTER);
    }

    @CanIgnoreReturnValue
    Object run(String script, Object... arguments) {
        return Objects.requireNonNullElse(driver.executeScript(script, arguments), "");
    }

    /** The errors of the page since the last call, violations of its content security policy included. */
    List<String> complaints() {
        return driver.manage().logs().get(LogType.BROWSER).getAll().stream()
                .map(entry -> entry.getMessage())
                .toList();
    }

    void picture(Path file) {
        byte[] png = driver.getScreenshotAs(OutputType.BYTES);
        try {
            Files.createDirectories(Objects.requireNonNull(file.toAbsolutePath().getParent()));
            Path written = Files.write(file, png);
            assertThat(written).isNotEmptyFile();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Override
    public void close() {
        driver.quit();
    }
}
