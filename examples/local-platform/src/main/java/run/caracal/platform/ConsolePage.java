package run.caracal.platform;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Base64;
import java.util.Objects;

/** The page of the console, and the content security policy that permits only its own script and style. */
final class ConsolePage {

    private static final String NAME = "console.html";

    private final byte[] html;
    private final String policy;

    private ConsolePage(byte[] html, String policy) {
        this.html = html;
        this.policy = policy;
    }

    /** Reads the page; blocks on the class path. */
    static ConsolePage load() {
        try (InputStream in = Objects.requireNonNull(ConsolePage.class.getResourceAsStream(NAME), NAME)) {
            byte[] html = in.readAllBytes();
            String text = new String(html, StandardCharsets.UTF_8);
            return new ConsolePage(
                    html,
                    "default-src 'none'; connect-src 'self'; img-src data:; script-src " + hash(text, "script")
                            + "; style-src " + hash(text, "style")
                            + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
                            + "; require-trusted-types-for 'script'; trusted-types 'none'");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    byte[] html() {
        return html;
    }

    /** The value of {@code Content-Security-Policy}. */
    String policy() {
        return policy;
    }

    private static String hash(String html, String element) {
        String begin = "<" + element + ">";
        String content = html.substring(html.indexOf(begin) + begin.length(), html.indexOf("</" + element + ">"));
        try {
            byte[] sha = MessageDigest.getInstance("SHA-256").digest(content.getBytes(StandardCharsets.UTF_8));
            return "'sha256-" + Base64.getEncoder().encodeToString(sha) + "'";
        } catch (NoSuchAlgorithmException e) {
            throw new AssertionError("every JVM has SHA-256", e);
        }
    }
}
