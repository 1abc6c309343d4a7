package run.caracal.redis;

import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.Map;
import java.util.TreeMap;
import javax.crypto.Mac;
import javax.crypto.spec.SecretKeySpec;
import org.jspecify.annotations.Nullable;

/** Signatures of stream entries, with a key that the platform and its resource servers share. */
final class StreamSignature {
    /** The field of the signature, which the signature does not cover. */
    static final String FIELD = "_sig";

    private static final String ALGORITHM = "HmacSHA256";

    private final SecretKeySpec key;

    private StreamSignature(SecretKeySpec key) {
        this.key = key;
    }

    /** Parses a key in hexadecimal; the message of an error does not contain it. */
    static StreamSignature of(String hex) {
        byte[] bytes;
        try {
            bytes = HexFormat.of().parseHex(hex.strip());
        } catch (IllegalArgumentException e) {
            // Without its cause, whose message shows characters of the key.
            throw new IllegalArgumentException(
                    "The HMAC key is not hexadecimal: give STREAMS_HMAC_KEY as the platform has it");
        }
        if (bytes.length == 0) {
            throw new IllegalArgumentException("The HMAC key is empty: give STREAMS_HMAC_KEY as the platform has it");
        }
        return new StreamSignature(new SecretKeySpec(bytes, ALGORITHM));
    }

    /** The signed text. */
    static String canonical(String stream, Map<String, String> fields) {
        StringBuilder text = new StringBuilder(stream).append('\n');
        new TreeMap<>(fields).forEach((name, value) -> {
            if (!name.equals(FIELD)) {
                text.append(name).append('=').append(value).append('\n');
            }
        });
        return text.toString();
    }

    String sign(String stream, Map<String, String> fields) {
        return HexFormat.of().formatHex(mac(stream, fields));
    }

    /** Whether the fields are signed with this key; compared in constant time. */
    boolean isOf(String stream, Map<String, String> fields) {
        @Nullable String signature = fields.get(FIELD);
        return signature != null
                && MessageDigest.isEqual(
                        sign(stream, fields).getBytes(StandardCharsets.US_ASCII),
                        signature.getBytes(StandardCharsets.UTF_8));
    }

    private byte[] mac(String stream, Map<String, String> fields) {
        try {
            Mac mac = Mac.getInstance(ALGORITHM);
            mac.init(key);
            return mac.doFinal(canonical(stream, fields).getBytes(StandardCharsets.UTF_8));
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException("This JVM has no " + ALGORITHM, e);
        }
    }
}
