package run.caracal.internal.wire;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.TreeSet;
import org.jspecify.annotations.Nullable;
import run.caracal.internal.config.Rules;
import run.caracal.internal.text.Percent;

/** The form of a token exchange (RFC 8693). A field with an empty value is not sent. */
public final class TokenForm {
    static final String GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange";
    static final String ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token";

    private record Field(String name, String value) {}

    private final List<Field> fields = new ArrayList<>();

    private TokenForm(ClientCredentials credentials) {
        add("grant_type", GRANT_TYPE);
        add("zone_id", credentials.zoneId());
        add("application_id", credentials.applicationId());
        add("client_secret", credentials.clientSecret());
    }

    /**
     * The application's own token.
     *
     * @param resources the resources it shall be good for, each sent once
     * @param ttlSeconds how long it shall live, or {@code null} for the platform's default
     */
    public static TokenForm application(
            ClientCredentials credentials, Collection<String> resources, @Nullable Integer ttlSeconds) {
        TokenForm form = new TokenForm(credentials);
        form.add("scope", Rules.LIFECYCLE_SCOPE);
        new LinkedHashSet<>(resources).forEach(resource -> form.add("resource", resource));
        form.addNumber("ttl_seconds", ttlSeconds);
        return form;
    }

    /**
     * A mandate for one call through the Gateway.
     *
     * @param scopes what the call needs, sent sorted
     * @param agentSessionId the session that acts, or {@code null} for the application itself
     * @param delegationEdgeId the delegation it acts under, or {@code null}
     * @param ttlSeconds how long the mandate shall live, or {@code null} for the platform's default
     * @param approvalId the hold that was approved, or {@code null}
     */
    public static TokenForm mandate(
            ClientCredentials credentials,
            Collection<String> scopes,
            String resource,
            @Nullable String agentSessionId,
            @Nullable String delegationEdgeId,
            @Nullable Integer ttlSeconds,
            @Nullable String approvalId) {
        TokenForm form = new TokenForm(credentials);
        form.add("scope", String.join(" ", new TreeSet<>(scopes)));
        form.add("resource", resource);
        form.add("agent_session_id", agentSessionId);
        form.add("delegation_edge_id", delegationEdgeId);
        form.addNumber("ttl_seconds", ttlSeconds);
        form.add("approval_id", approvalId);
        return form;
    }

    /**
     * A user's identity token for an authority record of the platform; takes neither scopes nor resources.
     *
     * @param ttlSeconds how long the answer shall live, or {@code null} for the platform's default
     */
    public static TokenForm federation(ClientCredentials credentials, String idToken, @Nullable Integer ttlSeconds) {
        TokenForm form = new TokenForm(credentials);
        form.add("subject_token", idToken);
        form.add("subject_token_type", ID_TOKEN);
        form.addNumber("ttl_seconds", ttlSeconds);
        return form;
    }

    private void add(String name, @Nullable String value) {
        if (value != null && !value.isEmpty()) {
            fields.add(new Field(name, value));
        }
    }

    private void addNumber(String name, @Nullable Integer value) {
        add(name, value == null ? null : value.toString());
    }

    /** The form as {@code application/x-www-form-urlencoded}. */
    public byte[] encode() {
        StringBuilder form = new StringBuilder(512);
        for (Field field : fields) {
            if (!form.isEmpty()) {
                form.append('&');
            }
            form.append(field.name()).append('=');
            encode(field.value(), form);
        }
        return form.toString().getBytes(StandardCharsets.US_ASCII);
    }

    static void encode(String text, StringBuilder form) {
        int from = 0;
        for (int blank = text.indexOf(' '); blank >= 0; blank = text.indexOf(' ', from)) {
            Percent.encode(text.substring(from, blank), form);
            form.append('+');
            from = blank + 1;
        }
        Percent.encode(text.substring(from), form);
    }

    /** Names the fields only: the values hold secrets. */
    @Override
    public String toString() {
        return "TokenForm" + fields.stream().map(Field::name).toList();
    }
}
