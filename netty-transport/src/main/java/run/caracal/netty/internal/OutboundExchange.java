package run.caracal.netty.internal;

import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.util.AsciiString;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicIntegerFieldUpdater;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;
import reactor.core.Exceptions;
import reactor.core.publisher.Mono;
import reactor.netty.Connection;
import reactor.netty.http.client.HttpClientRequest;
import reactor.util.context.Context;
import reactor.util.context.ContextView;
import run.caracal.error.RoutingException;
import run.caracal.http.OutboundDecision;
import run.caracal.http.OutboundHeaders;
import run.caracal.http.OutboundPolicy;

/**
 * One resolved request on its way out: the decision of the policy, and what has become of it. It travels in the Reactor
 * Context of one subscription, under {@link #KEY}, so that the WebClient filter and the decorated client agree on one
 * resolution, and so that what follows the first request on the same subscription, a redirect, is recognised.
 */
public final class OutboundExchange {
    /** Where the exchange stands in the Reactor Context of its request. */
    public static final Object KEY = OutboundExchange.class;

    private static final AsciiString TRACEPARENT = AsciiString.cached(HeaderNames.TRACEPARENT);
    private static final AsciiString TRACESTATE = AsciiString.cached(HeaderNames.TRACESTATE);
    private static final AsciiString BAGGAGE = AsciiString.cached(HeaderNames.BAGGAGE);
    private static final String OWN_HEADERS = "x-caracal-";
    private static final String OWN_MEMBERS = "caracal.";
    private static final AtomicIntegerFieldUpdater<OutboundExchange> CLAIMED =
            AtomicIntegerFieldUpdater.newUpdater(OutboundExchange.class, "claimed");
    private static final AtomicIntegerFieldUpdater<OutboundExchange> PREPARED =
            AtomicIntegerFieldUpdater.newUpdater(OutboundExchange.class, "prepared");

    private final OutboundDecision decision;
    // The request as it was made, to be judged again for another attempt.
    private final String asked;
    private final @Nullable String resource;
    private final @Nullable String requestId;
    private final boolean filtered; // a filter has asked, not a decorated client
    private final String target;
    private final boolean rewritten;
    private final @Nullable OutboundExchange replaced;

    private volatile int claimed; // whose request this is has been settled; from then on another one resolves anew
    private volatile boolean superseded; // a later attempt has its own exchange
    private volatile boolean governed; // a decorated client sends it: a filter above needs to watch no more
    private volatile int prepared; // a request of this exchange has been on a connection
    private boolean edited;
    private boolean sent;
    // The headers that the edit has set, to be found again on a redirect.
    private @Nullable String authorization;
    private @Nullable String ownRequestId;
    private List<String> displaced = List.of(); // the caller's own Authorization, which ours has replaced
    private @Nullable String traceparent;
    private @Nullable String tracestate;

    private OutboundExchange(
            OutboundDecision decision,
            String asked,
            @Nullable String resource,
            @Nullable String requestId,
            boolean governed,
            @Nullable OutboundExchange replaced) {
        this.decision = decision;
        this.asked = asked;
        this.resource = resource;
        this.requestId = requestId;
        this.governed = governed;
        this.filtered = !governed;
        this.claimed = governed ? 1 : 0;
        this.rewritten = decision.carriesIdentity() && !decision.url().equals(asked);
        this.target = rewritten ? decision.url() : asked;
        this.replaced = replaced;
    }

    /**
     * Asks the policy. An immediate decision comes as a scalar, without operators in between.
     *
     * @param resource the caller's resource, as far as it is known
     * @param requestId the caller's request id, as far as it is known
     * @param governed whether a decorated client asks, whose own request it is then
     * @return the exchange, or the error that keeps the request from being sent; never empty
     */
    public static Mono<OutboundExchange> resolve(
            OutboundPolicy policy,
            String url,
            @Nullable String resource,
            @Nullable String requestId,
            ContextView context,
            boolean governed) {
        return resolve(policy, url, resource, requestId, context, governed, null);
    }

    /**
     * Asks the policy for a request to the address of this exchange, which has been sent. Another attempt is asked for as
     * before, for the address of the request by now is the policy's answer. A request that names a resource of its own, or
     * that a decorated client makes within one of its own, is another one.
     *
     * @param named the resource that the request names, as far as it is known
     * @param id the request id that the request names, as far as it is known
     */
    public Mono<OutboundExchange> again(
            OutboundPolicy policy, @Nullable String named, @Nullable String id, ContextView context, boolean governed) {
        superseded = true;
        return filtered && (named == null || named.equals(resource))
                ? resolve(policy, asked, resource, requestId, context, governed, this)
                : resolve(policy, target, named, id, context, governed, this);
    }

    private static Mono<OutboundExchange> resolve(
            OutboundPolicy policy,
            String url,
            @Nullable String resource,
            @Nullable String requestId,
            ContextView context,
            boolean governed,
            @Nullable OutboundExchange before) {
        Mono<OutboundDecision> decided = policy.resolve(
                url,
                resource,
                requestId == null ? context : Context.of(context).put(OutboundPolicy.REQUEST_ID, requestId));
        if (decided == null) {
            return undecided(); // by a policy of the application's
        }
        if (decided instanceof Callable<?> known) {
            try {
                return known.call() instanceof OutboundDecision decision
                        ? Mono.just(new OutboundExchange(decision, url, resource, requestId, governed, before))
                        : undecided();
            } catch (Exception e) {
                return Mono.error(Exceptions.unwrap(e));
            }
        }
        return decided.map(decision -> new OutboundExchange(decision, url, resource, requestId, governed, before))
                .switchIfEmpty(undecided());
    }

    private static Mono<OutboundExchange> undecided() {
        return Mono.error(
                () -> new RoutingException("The outbound policy made no decision about this request, so it was"
                        + " not sent. A policy answers every request with exactly one call or with an error."));
    }

    /**
     * {@return the exchange that a filter further up has resolved for this very address, used or not, or {@code null}}
     */
    public static @Nullable OutboundExchange in(ContextView context, String url) {
        return context.getOrDefault(KEY, null) instanceof OutboundExchange exchange && exchange.target.equals(url)
                ? exchange
                : null;
    }

    /** Whether a request may still be sent with this exchange. */
    public boolean isFree() {
        return claimed == 0;
    }

    /** Takes the exchange for one request of a decorated client; the first one wins. */
    boolean claimForGovernedClient() {
        if (CLAIMED.compareAndSet(this, 0, 1)) {
            governed = true;
            return true;
        }
        return false;
    }

    /** Where the request goes. */
    public String target() {
        return target;
    }

    /** Whether that is another address than the caller asked for. */
    public boolean isRewritten() {
        return rewritten;
    }

    /** Whether the request gets an identity. */
    public boolean carriesIdentity() {
        return decision.carriesIdentity();
    }

    /**
     * {@return whether the end of the request is observed; {@code false} if {@link #ended} need not be
     * called}
     */
    public boolean isObserved() {
        return decision.isObserved();
    }

    /**
     * The request was answered.
     *
     * @param header gives the first value of a header of the answer, {@code null} when it is absent
     */
    public void answered(int status, Function<String, @Nullable String> header) {
        decision.answered(status, header);
    }

    /**
     * The request has ended; the first call counts.
     *
     * @param status the status of the answer; 0 when there is none
     * @param error what it failed with, or {@code null}
     */
    public void ended(int status, @Nullable Throwable error) {
        decision.ended(status, error);
    }

    /**
     * {@return whether a decorated client has taken the exchange over, which then looks after the wire; {@code true}
     * below a filter, on a decorated client}
     */
    public boolean isGoverned() {
        return governed;
    }

    /**
     * Edits the headers, once.
     *
     * @param headers the outgoing headers, a {@link View}
     */
    public void edit(OutboundHeaders headers) {
        OutboundExchange before = replaced;
        if (before != null) {
            // Headers of an earlier attempt are not the caller's own.
            if (before.authorization != null
                    && headers.getAll(HeaderNames.AUTHORIZATION).contains(before.authorization)) {
                headers.remove(HeaderNames.AUTHORIZATION);
            }
            removeOnly(headers, HeaderNames.REQUEST_ID, before.ownRequestId);
            removeOnly(headers, HeaderNames.TRACEPARENT, before.traceparent);
            removeOnly(headers, HeaderNames.TRACESTATE, before.tracestate);
        }
        edited = true;
        decision.edit(headers);
    }

    /** Remembers the headers that the edit sets; equal headers of the caller remain the caller's. */
    private void sets(View view, String name, String value) {
        switch (name.length()) {
            case 12 -> ownRequestId = isNew(view, name, HeaderNames.REQUEST_ID, value) ? value : ownRequestId;
            case 13 -> authorization = name.equalsIgnoreCase(HeaderNames.AUTHORIZATION) ? value : authorization;
            case 11 -> traceparent = isNew(view, name, HeaderNames.TRACEPARENT, value) ? value : traceparent;
            case 10 -> tracestate = isNew(view, name, HeaderNames.TRACESTATE, value) ? value : tracestate;
            default -> {}
        }
    }

    private static boolean isNew(View view, String name, String wanted, String value) {
        return name.equalsIgnoreCase(wanted) && !view.getAll(name).contains(value);
    }

    /**
     * A request is about to be written by a connector that is not Reactor Netty's: what happens to it afterwards cannot be
     * seen from here, so there is one request for each resolution.
     */
    public void prepare(OutboundHeaders headers) {
        if (superseded) {
            return;
        }
        if (!CLAIMED.compareAndSet(this, 0, 1) && carriesIdentity()) {
            throw sentAgain();
        }
        enforce(headers);
    }

    /**
     * A request is prepared on a connection: the first one of this exchange, or what follows it on the same subscription.
     * On the event loop.
     *
     * @param connection its connection, or stream
     */
    public void prepare(HttpClientRequest request, Connection connection) {
        if ((superseded || !carriesIdentity()) && request.currentContextView().getOrDefault(KEY, this) != this) {
            return; // of a later attempt, or of a decorated client that was given another address
        }
        boolean first = prepared == 0 && PREPARED.compareAndSet(this, 0, 1);
        if (!first && request.redirectedFrom().length == 0) {
            // Under a decorated client anything other than a redirect or an answer to a challenge is a WebSocket.
            if (carriesIdentity() || (governed && request.authenticationRetryCount() == 0)) {
                throw sentAgain();
            }
        }
        claimed = 1;
        WireEdit.arm(connection.channel(), this);
    }

    private static RoutingException sentAgain() {
        return new RoutingException(
                "A request was about to be sent a second time with the identity of the first, which is"
                        + " good for one request only; it was not sent. Retry the whole call instead, so that each attempt gets"
                        + " an identity of its own: put a retry filter before the Caracal filter, use no httpAuthentication(...)"
                        + " for governed requests, and use another client for WebSocket.");
    }

    /** Sets the identity before the request is written, or removes it after a redirect. On the event loop. */
    void onWire(HttpHeaders headers) {
        if (sent) {
            strip(headers);
            return;
        }
        OutboundHeaders view = new Wire(this, headers);
        if (edited) {
            enforce(view);
        } else {
            edit(view);
        }
        sent = true;
        if (rewritten && !isAuthority(headers.get(HttpHeaderNames.HOST))) {
            headers.set(HttpHeaderNames.HOST, authority());
        }
    }

    /** Whether a host is the target's, as it is when only Reactor Netty has set it. */
    private boolean isAuthority(@Nullable String host) {
        int from = target.indexOf("://") + 3;
        return host != null
                && target.startsWith(host, from)
                && (from + host.length() == target.length() || "/?#".indexOf(target.charAt(from + host.length())) >= 0);
    }

    /** Later filters must not change the headers of the edit, except those that belong to the caller. */
    private void enforce(OutboundHeaders headers) {
        String own = authorization;
        if (own == null) {
            return;
        }
        List<String> there = headers.getAll(HeaderNames.AUTHORIZATION);
        if (there.size() == 1 && own.equals(there.get(0))) {
            return;
        }
        String callers = decision.ownsAuthorization() ? null : firstOther(there, own);
        if (callers == null) {
            headers.set(HeaderNames.AUTHORIZATION, own);
        } else if (there.size() > 1) {
            headers.set(HeaderNames.AUTHORIZATION, callers); // added to ours
            authorization = own; // still what a redirect has to lose
        }
    }

    private static @Nullable String firstOther(List<String> values, String own) {
        for (String value : values) {
            if (!value.equals(own)) {
                return value;
            }
        }
        return null;
    }

    private String authority() {
        int from = target.indexOf("://") + 3;
        int to = from;
        while (to < target.length() && "/?#".indexOf(target.charAt(to)) < 0) {
            to++;
        }
        String authority = target.substring(from, to);
        return authority.substring(authority.lastIndexOf('@') + 1);
    }

    /** Removes the identity; headers of the caller stay. */
    private void strip(HttpHeaders headers) {
        removeOwn(headers, HttpHeaderNames.AUTHORIZATION, authorization);
        for (String value : displaced) {
            removeOwn(headers, HttpHeaderNames.AUTHORIZATION, value);
        }
        removeOwn(headers, TRACEPARENT, traceparent);
        removeOwn(headers, TRACESTATE, tracestate);
        for (String name : List.copyOf(headers.names())) {
            if (name.toLowerCase(Locale.ROOT).startsWith(OWN_HEADERS)) {
                headers.remove(name);
            }
        }
        if (headers.contains(BAGGAGE)) {
            List<String> kept = new ArrayList<>();
            for (String value : headers.getAll(BAGGAGE)) {
                for (String member : value.split(",", -1)) {
                    if (!member.isBlank()
                            && !member.strip().toLowerCase(Locale.ROOT).startsWith(OWN_MEMBERS)) {
                        kept.add(member.strip());
                    }
                }
            }
            if (kept.isEmpty()) {
                headers.remove(BAGGAGE);
            } else {
                headers.set(BAGGAGE, String.join(",", kept));
            }
        }
    }

    private static void removeOnly(OutboundHeaders headers, String name, @Nullable String own) {
        if (own != null && headers.getAll(name).equals(List.of(own))) {
            headers.remove(name);
        }
    }

    private static void removeOwn(HttpHeaders headers, AsciiString name, @Nullable String own) {
        if (own != null && headers.getAll(name).contains(own)) {
            headers.remove(name);
        }
    }

    /** Names the target only, without its query: headers carry tokens. */
    @Override
    public String toString() {
        int query = target.indexOf('?');
        return "OutboundExchange[" + (query < 0 ? target : target.substring(0, query)) + "]";
    }

    /** The headers of a request as some client has them; what is set is remembered, so that it is found again. */
    public abstract static class View implements OutboundHeaders {
        private final OutboundExchange exchange;

        /** A view for one edit. */
        protected View(OutboundExchange exchange) {
            this.exchange = exchange;
        }

        @Override
        public final void set(String name, String value) {
            if (!isSendable(value)) {
                throw unsendable(name);
            }
            if (exchange.authorization == null && name.equalsIgnoreCase(HeaderNames.AUTHORIZATION)) {
                exchange.displaced = List.copyOf(getAll(name));
            }
            exchange.sets(this, name, value);
            put(name, value);
        }

        /** {@return whether HTTP allows a value; {@code false} when a character of it may not be in a header} */
        protected boolean isSendable(String value) {
            for (int i = 0; i < value.length(); i++) {
                char c = value.charAt(i);
                if ((c < ' ' && c != '\t') || c == 0x7f) {
                    return false;
                }
            }
            return true;
        }

        /** Replaces all values of a header by one that can be sent. */
        protected abstract void put(String name, String value);

        /** Headers carry tokens. */
        @Override
        public String toString() {
            return "OutboundHeaders";
        }
    }

    private static final class Wire extends View {
        private final HttpHeaders headers;

        Wire(OutboundExchange exchange, HttpHeaders headers) {
            super(exchange);
            this.headers = headers;
        }

        @Override
        public List<String> getAll(String name) {
            // Netty makes lists for what is not there, too.
            return headers.contains(name) ? headers.getAll(name) : List.of();
        }

        /** Netty looks at every character again; here is only what would end the header if its check were off. */
        @Override
        protected boolean isSendable(String value) {
            return value.indexOf('\n') < 0 && value.indexOf('\r') < 0 && value.indexOf('\0') < 0;
        }

        @Override
        protected void put(String name, String value) {
            try {
                headers.set(name, value);
            } catch (IllegalArgumentException refused) {
                throw unsendable(name);
            }
        }

        @Override
        public void remove(String name) {
            headers.remove(name);
        }
    }

    /** Without the value, which may be a token. */
    private static RoutingException unsendable(String name) {
        return new RoutingException(
                "The value for the header " + name + " holds a character that HTTP does not allow; the"
                        + " request was not sent. Check where the value comes from, for instance a token file with a line break.");
    }
}
