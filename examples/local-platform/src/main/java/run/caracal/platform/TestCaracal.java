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
 * A real {@link Caracal} on its own in-memory platform, without sockets: for unit tests in milliseconds, instead of mocks. Sessions,
 * leases, delegations, approvals and rejections behave as on a real platform.
 *
 * <pre>{@code
 * TestCaracal test = TestCaracal.create();
 * Billing billing = new Billing(test.caracal());
 * test.platform().deny("resource://billing-api", "billing:charge");
 * StepVerifier.create(billing.charge(1200)).verifyError(StsException.class);
 * test.dispose();
 * }</pre>
 *
 * <p>Script denials with {@link LocalPlatform#deny}, approvals with {@link LocalPlatform#holdForApproval}, and network faults with
 * {@link LocalPlatform#faults} and a {@link FaultRule}, on {@link #platform()}. Thread-safe; scripts apply to all threads.
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

    /** {@return a client on a default platform} Blocks for some milliseconds. */
    public static TestCaracal create() {
        return create(LocalPlatform.builder());
    }

    /** {@return a client on your own platform, which will open no socket} Blocks for some milliseconds. */
    public static TestCaracal create(LocalPlatform.Builder platform) {
        return new TestCaracal(platform.inProcess().start());
    }

    /** {@return the client of the platform's first application} */
    public Caracal caracal() {
        return caracal;
    }

    /** {@return the platform, to inspect and to script} */
    public LocalPlatform platform() {
        return platform;
    }

    /** {@return an undecorated client that reaches the platform's Gateway and upstream} */
    public HttpClient httpClient() {
        return platform.httpClient();
    }

    /** {@return the requests received by STS, Coordinator and Gateway, in order of arrival} */
    public List<ReceivedRequest> sent() {
        return Stream.of(Service.STS, Service.COORDINATOR, Service.GATEWAY)
                .flatMap(service -> platform.received(service).stream())
                .sorted(Comparator.comparing(ReceivedRequest::receivedAt))
                .toList();
    }

    /** Resets the platform; the client keeps its tokens. See {@link LocalPlatform#reset()}. */
    public void reset() {
        platform.reset();
    }

    /** {@return closes the client and its sessions, then the platform, on subscription} */
    public Mono<Void> disposeLater() {
        return closing;
    }

    /** Closes client and platform, and blocks until both are closed; not for event loops. */
    @Override
    public void dispose() {
        var unused = closing.blockOptional(CLOSE_TIMEOUT);
    }

    @Override
    public boolean isDisposed() {
        return platform.isDisposed();
    }
}
