package run.caracal.platform;

import io.netty.util.NetUtil;
import java.net.InetAddress;
import java.net.URI;
import java.net.URLDecoder;
import java.net.URLEncoder;
import java.net.UnknownHostException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/** The Gateway's checks of a request's path and query, and the URL at the upstream. */
final class UpstreamUrl {

    private static final String KEPT_IN_PATH = "-_.~$&+,/:;=@";
    private static final int DECODINGS = 4;

    private UpstreamUrl() {}

    /** The path with its escapes decoded, once. */
    static String decoded(String path) {
        return URLDecoder.decode(path.replace("+", "%2B"), StandardCharsets.UTF_8);
    }

    /** Whether the path, decoded as often as an upstream might decode it, escapes its base. */
    static boolean traverses(String path) {
        String current = path;
        for (int i = 0; i < DECODINGS; i++) {
            if (current.indexOf('\\') >= 0 || segments(current).anyMatch(s -> s.equals(".") || s.equals(".."))) {
                return true;
            }
            String next;
            try {
                next = decoded(current);
            } catch (IllegalArgumentException e) {
                return false;
            }
            if (next.equals(current)) {
                return false;
            }
            current = next;
        }
        return true;
    }

    /** The path without empty and dot segments. */
    static String cleaned(String path) {
        List<String> kept = new ArrayList<>();
        segments(path).forEach(segment -> {
            if (segment.equals("..")) {
                if (!kept.isEmpty()) {
                    kept.remove(kept.size() - 1);
                }
            } else if (!segment.isEmpty() && !segment.equals(".")) {
                kept.add(segment);
            }
        });
        boolean slash = path.endsWith("/") && !kept.isEmpty();
        return "/" + String.join("/", kept) + (slash ? "/" : "");
    }

    /** Whether the Gateway would connect to it; host names are not resolved, addresses must be those of a host. */
    static boolean isAddressable(String upstream) {
        URI url = URI.create(upstream);
        if (!Set.of("http", "https").contains(url.getScheme()) || url.getRawUserInfo() != null) {
            return false;
        }
        byte[] literal = NetUtil.createByteArrayFromIpAddressString(url.getHost());
        if (literal == null) {
            return true;
        }
        try {
            InetAddress address = InetAddress.getByAddress(literal);
            return !address.isLinkLocalAddress() && !address.isMulticastAddress() && !address.isAnyLocalAddress();
        } catch (UnknownHostException e) {
            return false;
        }
    }

    private static Stream<String> segments(String path) {
        return Arrays.stream(path.split("/", -1));
    }

    /**
     * The URL at the upstream. The query of the upstream overrides that of the request; the result is sorted by name.
     *
     * @throws IllegalArgumentException if the request's query is malformed
     */
    static URI of(String upstream, String decodedPath, @Nullable String query) {
        URI base = URI.create(upstream);
        String basePath = base.getPath() == null ? "" : base.getPath();
        String path = basePath.isEmpty() || basePath.equals("/") ? decodedPath : joined(basePath, decodedPath);
        Map<String, List<String>> fields =
                new TreeMap<>(Form.parse(query == null ? "" : query).fields());
        fields.putAll(
                Form.parse(base.getRawQuery() == null ? "" : base.getRawQuery()).fields());
        String encodedQuery = fields.entrySet().stream()
                .flatMap(field -> field.getValue().stream().map(value -> encode(field.getKey()) + '=' + encode(value)))
                .collect(Collectors.joining("&"));
        return URI.create(base.getScheme() + "://" + base.getRawAuthority() + encodePath(path)
                + (encodedQuery.isEmpty() ? "" : "?" + encodedQuery));
    }

    private static String joined(String basePath, String path) {
        String clean = cleaned(basePath + "/" + path);
        return clean.length() > 1 && clean.endsWith("/") ? clean.substring(0, clean.length() - 1) : clean;
    }

    private static String encode(String text) {
        return URLEncoder.encode(text, StandardCharsets.UTF_8)
                .replace("*", "%2A")
                .replace("%7E", "~");
    }

    private static String encodePath(String path) {
        StringBuilder encoded = new StringBuilder();
        for (byte octet : path.getBytes(StandardCharsets.UTF_8)) {
            char c = (char) (octet & 0xFF);
            boolean plain = c < 0x80 && (Character.isLetterOrDigit(c) || KEPT_IN_PATH.indexOf(c) >= 0);
            encoded.append(plain ? String.valueOf(c) : String.format("%%%02X", (int) c));
        }
        return encoded.toString();
    }
}
