package run.caracal.verify;

import static run.caracal.verify.Claims.invalid;

import java.nio.charset.StandardCharsets;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.internal.json.Json;
import run.caracal.internal.json.JsonException;

/** A token in JWS compact form. Only its header is parsed before its signature is verified. */
final class SignedToken {
    /** The platform's own limit. */
    static final int MAX_LENGTH = 4096;

    private static final int MAX_KID_LENGTH = 128;

    /** 64 bytes in base64url. */
    private static final int SIGNATURE_LENGTH = 86;

    /** Members that name another key, or change the format of the token; no mandate has them. */
    private static final List<String> REFUSED = List.of("crit", "jku", "jwk", "x5u", "x5c", "b64");

    private final String text;
    private final int payload;
    private final int signature;
    private final String kid;

    private SignedToken(String text, int payload, int signature, String kid) {
        this.text = text;
        this.payload = payload;
        this.signature = signature;
        this.kid = kid;
    }

    /** Parses a bearer; rejects one that is missing or cannot be a token of the platform. */
    static SignedToken parse(@Nullable String bearer) {
        if (bearer == null || bearer.isBlank()) {
            throw new InboundException(
                    Reason.MISSING_TOKEN, "The request has no bearer token", "Send it as Authorization: Bearer", null);
        }
        if (bearer.length() > MAX_LENGTH) {
            throw invalid("The token is longer than " + MAX_LENGTH + " characters");
        }
        int first = bearer.indexOf('.');
        int second = bearer.indexOf('.', first + 1);
        if (second < 0 || !isBase64Url(bearer, first, second)) {
            throw invalid("The token is not three parts of base64url");
        }
        if (!isSignature(bearer.substring(second + 1))) {
            throw invalid("The signature of the token is not one of ES256");
        }
        Map<?, ?> header = object(bearer.substring(0, first), "header");
        if (!"ES256".equals(header.get("alg"))) {
            throw invalid("The token is not signed with ES256");
        }
        for (String name : REFUSED) {
            if (header.containsKey(name)) {
                throw invalid("The header of the token has the member " + name + ", which no mandate has");
            }
        }
        if (!(header.get("kid") instanceof String kid) || kid.isBlank() || kid.length() > MAX_KID_LENGTH) {
            throw invalid("The header of the token names no key");
        }
        return new SignedToken(bearer, first + 1, second + 1, kid);
    }

    /** The claimed key id. */
    String kid() {
        return kid;
    }

    /** Whether the key made the signature. */
    boolean isSignedBy(Es256 key) {
        byte[] signed = text.substring(0, signature - 1).getBytes(StandardCharsets.US_ASCII);
        return key.verify(signed, text.substring(signature));
    }

    /** The claims; throws if they are not a JSON object. */
    Map<?, ?> claims() {
        return object(text.substring(payload, signature - 1), "payload");
    }

    private static boolean isBase64Url(String text, int first, int second) {
        for (int i = 0; i < text.length(); i++) {
            char c = text.charAt(i);
            boolean letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
            boolean other = (c >= '0' && c <= '9') || c == '-' || c == '_';
            if (!letter && !other && i != first && i != second) {
                return false;
            }
        }
        return true;
    }

    /** Accepts only the canonical encoding of 64 bytes: trailing bits, which are not signed, must be zero. */
    private static boolean isSignature(String text) {
        return text.length() == SIGNATURE_LENGTH && "AQgw".indexOf(text.charAt(SIGNATURE_LENGTH - 1)) >= 0;
    }

    private static Map<?, ?> object(String part, String name) {
        try {
            if (Json.readStrictly(Base64.getUrlDecoder().decode(part)) instanceof Map<?, ?> map) {
                return map;
            }
        } catch (IllegalArgumentException | JsonException e) {
            // The exception below says it all.
        }
        throw invalid("The " + name + " of the token is not a JSON object in base64url, or has a member twice");
    }

    /** Hides the token. */
    @Override
    public String toString() {
        return "SignedToken[***]";
    }
}
