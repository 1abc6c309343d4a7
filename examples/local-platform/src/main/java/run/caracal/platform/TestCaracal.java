package run.caracal.platform;

import java.time.Duration;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import reactor.core.Disposable;
import reactor.core.publisher.Mono;
import reactor.netty.http.client.HttpClient;
import run.caracal.Caracal;

/**
 * A real {@link Caracal} on a whole platform of its own, without a socket: for unit tests in milliseconds, in the place of a
 * mock. Everything that a client can be told happens as it would outside: sessions, leases, delegations, approvals, refusals.
 *
 * <pre>{@code
 * TestCaracal test = TestCaracal.create();
 * Billing billing = new Billing(test.caracal());
 * test.platform().deny("resource://billing-api", "billing:charge");
 * StepVerifier.create(billing.charge(1200)).verifyError(StsException.class);
 * test.dispose();
 * }</pre>
 *
 * <p>Mandates and refusals are scripted at {@link #platform()}: {@link LocalPlatform#deny}, {@link
 * LocalPlatform#holdForApproval}, and for all that can go wrong on the way {@link LocalPlatform#faults} with a {@link
 * FaultRule}. Safe for several threads, but what is scripted is so for all of them.
 */
public final class TestCaracal implements Disposable {

    private static final Duration CLOSE_TIMEOUT = Duration.ofSeconds(15);

    private final LocalPlatform platform;
    private final Caracal caracal;
    private final Mono<Void> closing;

    private TestCaracal(LocalPlatform platform) {
        this.platform = platform;
        this.caracal = Caracal.create(platform.config());
        this.closing = caracal.disposeLater()
                .onErrorResume(failure -> platform.disposeLater().then(Mono.error(failure)))
                .then(platform.disposeLater())
                .cache();
    }

    /** {@return a client on a platform with the defaults} Blocks until it is there, for some milliseconds. */
    public static TestCaracal create() {
        return create(LocalPlatform.builder());
    }

    /**
     * {@return a client on a platform of your own making} Blocks until it is there, for some milliseconds.
     *
     * @param platform what the platform is made of; it will open no socket
     */
    public static TestCaracal create(LocalPlatform.Builder platform) {
        return new TestCaracal(platform.inProcess().start());
    }

    /** {@return the client} It is the first application of the platform. */
    public Caracal caracal() {
        return caracal;
    }

    /** {@return the platform: what it holds, received and wrote down, and what it shall do} */
    public LocalPlatform platform() {
        return platform;
    }

    /** {@return a client, not decorated, that reaches the platform's Gateway and upstream} */
    public HttpClient httpClient() {
        return platform.httpClient();
    }

    /** {@return the requests that STS, Coordinator and Gateway received, in the order of their arrival} */
    public List<ReceivedRequest> sent() {
        return Stream.of(Service.STS, Service.COORDINATOR, Service.GATEWAY)
                .flatMap(service -> platform.received(service).stream())
                .sorted(Comparator.comparing(ReceivedRequest::receivedAt))
                .toList();
    }

    /** Makes it as good as new, but for tokens that the client holds: see {@link LocalPlatform#reset()}. */
    public void reset() {
        platform.reset();
    }

    /** {@return the end: subscribing closes the client, which ends its sessions, then the platform} */
    public Mono<Void> disposeLater() {
        return closing;
    }

    /** Closes client and platform, and waits until that is done; not for event loops. */
    @Override
    public void dispose() {
        var unused = closing.blockOptional(CLOSE_TIMEOUT);
    }

    @Override
    public boolean isDisposed() {
        return platform.isDisposed();
    }
}
