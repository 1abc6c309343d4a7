package run.caracal.boot;

import java.io.Serial;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.springframework.security.authentication.AbstractAuthenticationToken;
import org.springframework.security.core.authority.SimpleGrantedAuthority;
import run.caracal.verify.VerifiedMandate;

/**
 * A verified caller for Spring Security: the mandate is the principal, and each of its scopes an authority with the prefix
 * {@code SCOPE_}, as for OAuth tokens. Contains no bearer.
 */
public final class MandateAuthentication extends AbstractAuthenticationToken {
    @Serial
    private static final long serialVersionUID = 1L;

    private final transient VerifiedMandate mandate;

    /**
     * Creates the authentication of a mandate.
     *
     * @param mandate the verified mandate
     */
    public MandateAuthentication(VerifiedMandate mandate) {
        super(mandate.scopes().stream()
                .map(scope -> new SimpleGrantedAuthority("SCOPE_" + scope))
                .toList());
        this.mandate = Objects.requireNonNull(mandate, "mandate");
        setAuthenticated(true);
    }

    /** {@return {@code null}, because the bearer is not kept} */
    @Override
    public @Nullable Object getCredentials() {
        return null;
    }

    /** {@return the mandate} */
    @Override
    public VerifiedMandate getPrincipal() {
        return mandate;
    }

    /** {@return the subject of the mandate} */
    @Override
    public String getName() {
        return mandate.subject();
    }

    @Override
    public boolean equals(@Nullable Object other) {
        return other instanceof MandateAuthentication that && super.equals(other) && mandate.equals(that.mandate);
    }

    @Override
    public int hashCode() {
        return 31 * super.hashCode() + mandate.hashCode();
    }
}
