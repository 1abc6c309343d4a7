package run.caracal.error;

import org.jspecify.annotations.Nullable;

/**
 * The STS refused to issue a token, or could not. Its code selects a nested type, so that a pipeline can handle one of
 * them:
 *
 * <pre>{@code
 * work.onErrorResume(StsException.AccessDenied.class, denied -> fallback())
 * }</pre>
 *
 * <p>Any other code is this type itself. A hold that waits for a person is an {@link ApprovalRequiredException}.
 */
public sealed class StsException extends ServiceException
        permits StsException.AccessDenied,
                StsException.InvalidToken,
                StsException.InvalidRequest,
                StsException.ScopeInsufficient,
                StsException.DelegationRequired,
                StsException.ResourceNotFound,
                StsException.ZoneMismatch,
                StsException.OperationNotPermitted,
                StsException.ServiceUnavailable,
                ApprovalRequiredException {
    private static final long serialVersionUID = 1L;

    StsException(Refusal refusal, @Nullable String hint) {
        super("The STS answered ", refusal, hint, Limit.ofSts(refusal), null);
    }

    /**
     * {@return an exception of the type of the code}
     *
     * @param hint what the caller can do, or {@code null}
     */
    public static StsException of(Refusal refusal, @Nullable String hint) {
        return switch (refusal.code()) {
            case "access_denied" -> new AccessDenied(refusal, hint);
            case "invalid_token" -> new InvalidToken(refusal, hint);
            case "invalid_request" -> new InvalidRequest(refusal, hint);
            case "scope_insufficient" -> new ScopeInsufficient(refusal, hint);
            case "delegation_required" -> new DelegationRequired(refusal, hint);
            case "resource_not_found" -> new ResourceNotFound(refusal, hint);
            case "zone_invalid" -> new ZoneMismatch(refusal, hint);
            case "operation_not_permitted" -> new OperationNotPermitted(refusal, hint);
            case "sts_unavailable" -> new ServiceUnavailable(refusal, hint);
            default -> new StsException(refusal, hint);
        };
    }

    /**
     * {@return whether the same call may succeed later, unchanged: after outages and timeouts, and after a
     * {@link #limit()}} The bare {@code policy denied} counts as a limit: the STS answers it above its mint limit, but
     * also for an unknown resource or an undeclared scope, so bound the retries.
     */
    @Override
    public final boolean isRetryable() {
        return isPassingLimit()
                || isTransient(httpStatus())
                || code().equals("sts_unavailable")
                || code().equals("provider_rate_limited");
    }

    /** Denied by policy, a binding or the credentials; the message says which if the STS did. {@code access_denied}. */
    public static final class AccessDenied extends StsException {
        private static final long serialVersionUID = 1L;

        AccessDenied(Refusal refusal, @Nullable String hint) {
            super(refusal, hint);
        }
    }

    /** A presented token, or the format of the request, is invalid. {@code invalid_token}. */
    public static final class InvalidToken extends StsException {
        private static final long serialVersionUID = 1L;

        InvalidToken(Refusal refusal, @Nullable String hint) {
            super(refusal, hint);
        }
    }

    /** The request is invalid. {@code invalid_request}. */
    public static final class InvalidRequest extends StsException {
        private static final long serialVersionUID = 1L;

        InvalidRequest(Refusal refusal, @Nullable String hint) {
            super(refusal, hint);
        }
    }

    /** The scopes do not cover the request. {@code scope_insufficient}. */
    public static final class ScopeInsufficient extends StsException {
        private static final long serialVersionUID = 1L;

        ScopeInsufficient(Refusal refusal, @Nullable String hint) {
            super(refusal, hint);
        }
    }

    /** The resource needs a delegation, and none was presented. {@code delegation_required}. */
    public static final class DelegationRequired extends StsException {
        private static final long serialVersionUID = 1L;

        DelegationRequired(Refusal refusal, @Nullable String hint) {
            super(refusal, hint);
        }
    }

    /** The zone has no such resource (or approval). {@code resource_not_found}. */
    public static final class ResourceNotFound extends StsException {
        private static final long serialVersionUID = 1L;

        ResourceNotFound(Refusal refusal, @Nullable String hint) {
            super(refusal, hint);
        }
    }

    /** The application belongs to another zone. {@code zone_invalid}. */
    public static final class ZoneMismatch extends StsException {
        private static final long serialVersionUID = 1L;

        ZoneMismatch(Refusal refusal, @Nullable String hint) {
            super(refusal, hint);
        }
    }

    /** The resource does not permit this method and path. {@code operation_not_permitted}. */
    public static final class OperationNotPermitted extends StsException {
        private static final long serialVersionUID = 1L;

        OperationNotPermitted(Refusal refusal, @Nullable String hint) {
            super(refusal, hint);
        }
    }

    /** The STS cannot decide at the moment; not a denial. {@code sts_unavailable}. */
    public static final class ServiceUnavailable extends StsException {
        private static final long serialVersionUID = 1L;

        ServiceUnavailable(Refusal refusal, @Nullable String hint) {
            super(refusal, hint);
        }
    }
}
