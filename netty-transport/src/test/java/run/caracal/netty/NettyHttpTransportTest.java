package run.caracal.netty;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.handler.ssl.SslContext;
import io.netty.resolver.dns.DnsAddressResolverGroup;
import io.netty.resolver.dns.DnsServerAddressStreamProvider;
import io.netty.resolver.dns.SingletonDnsServerAddressStreamProvider;
import io.netty.util.concurrent.EventExecutor;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.lang.ref.WeakReference;
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.net.URI;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Queue;
import java.util.ServiceLoader;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ForkJoinPool;
import java.util.concurrent.FutureTask;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.UnaryOperator;
import mockwebserver3.MockResponse;
import mockwebserver3.MockWebServer;
import mockwebserver3.RecordedRequest;
import mockwebserver3.SocketEffect;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.RepeatedTest;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Sinks;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.netty.http.HttpResources;
import reactor.netty.http.client.HttpClient;
import reactor.netty.http.server.HttpServer;
import reactor.netty.resources.ConnectionProvider;
import reactor.netty.resources.LoopResources;
import reactor.netty.transport.ProxyProvider;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ClosedException;
import run.caracal.error.TransportException;
import run.caracal.error.TransportException.Kind;
import run.caracal.http.HttpRequest;
import run.caracal.http.HttpResponse;
import run.caracal.http.HttpTransport;
import run.caracal.http.HttpTransportProvider;
import run.caracal.netty.internal.provider.NettyHttpTransportProvider;
import run.caracal.test.Effort;
import run.caracal.test.Threads;

/** The transport on sockets. */
class NettyHttpTransportTest {
    private static final String SECRET = "s3cret-bearer";

    private final MockWebServer server = new MockWebServer();
    private NettyHttpTransport transport = NettyHttpTransport.create();

    @BeforeEach
    void start() throws IOException {
        server.start();
    }

    @AfterEach
    void close() {
        Await.done(transport.disposeLater());
        server.close();
    }

    private void use(NettyHttpTransport.Builder builder) {
        Await.done(transport.disposeLater());
        transport = builder.build();
    }

    private HttpRequest get(String url) {
        return request("GET", url, null);
    }

    private static HttpRequest request(String method, String url, @Nullable String body) {
        return request(method, url, body, Duration.ofSeconds(10), 1 << 20);
    }

    @SuppressWarnings("NullAway") // outside JSpecify mode it does not see that the array may be null
    private static HttpRequest request(
            String method, String url, @Nullable String body, Duration timeout, int maxResponseBytes) {
        return new HttpRequest(
                method,
                URI.create(url),
                Map.of("Authorization", "Bearer " + SECRET),
                body == null ? null : body.getBytes(StandardCharsets.UTF_8),
                timeout,
                maxResponseBytes);
    }

    private String url(String path) {
        return server.url(path).toString();
    }

    private static MockResponse status(int status) {
        return new MockResponse.Builder().code(status).build();
    }

    private HttpResponse send(HttpRequest request) {
        return Objects.requireNonNull(transport.exchange(request).block(Await.BOUND));
    }

    /** For a test of a short limit, which the first connection alone may take. */
    private void connect() {
        server.enqueue(status(200));
        assertThat(send(get(url("/connect"))).status()).isEqualTo(200);
    }

    private TransportException failure(HttpRequest request) {
        AtomicReference<Throwable> seen = new AtomicReference<>();
        StepVerifier.create(transport.exchange(request))
                .expectErrorSatisfies(seen::set)
                .verify(Await.BOUND);
        assertThat(seen.get()).isInstanceOf(TransportException.class);
        for (Throwable it = seen.get(); it != null; it = it.getCause()) {
            assertThat(it.toString()).doesNotContain(SECRET).doesNotContain("body-s3cret");
        }
        assertThat(seen.get())
                .hasMessageStartingWith(request.method() + " " + request.uri().getScheme() + "://");
        return (TransportException) Objects.requireNonNull(seen.get());
    }

    @Nested
    class ForCalls {
        private final HttpTransport calls = new NettyHttpTransportProvider().createForCalls();

        private Mono<String> threadOfACall() {
            server.enqueue(status(200));
            return calls.exchange(get(url("/x")))
                    .map(answer -> Thread.currentThread().getName());
        }

        @AfterEach
        void close() {
            Await.done(calls.disposeLater());
        }

        private Flux<EventExecutor> loops() {
            return Flux.fromIterable(HttpResources.get().onClient(LoopResources.DEFAULT_NATIVE));
        }

        /** One after another: what a loop does behind an answer, as the release of its connection, is done before the next. */
        private Flux<String> threadsOfCalls(EventExecutor loop, int calls) {
            Mono<Void> aTurnOfEach = loops().concatMap(
                            each -> Mono.<Void>empty().subscribeOn(Schedulers.fromExecutor(each)))
                    .then();
            return aTurnOfEach
                    .then(Mono.defer(this::threadOfACall).subscribeOn(Schedulers.fromExecutor(loop)))
                    .repeat(calls - 1);
        }

        private void makeBusy() {
            StepVerifier.create(
                            loops().concatMap(loop -> threadsOfCalls(loop, 60)).then())
                    .expectComplete()
                    .verify(Await.BOUND);
        }

        /** A connection never leaves its loop, so that one of another loop costs two changes of threads. */
        @Test
        void callsOfABusyServiceStayOnTheLoopsOfTheirCallers() {
            makeBusy();
            Flux<Boolean> onItsOwn = loops().concatMap(loop -> threadsOfCalls(loop, 5)
                    .zipWith(Mono.fromSupplier(() -> Thread.currentThread().getName())
                            .subscribeOn(Schedulers.fromExecutor(loop))
                            .cache()
                            .repeat(4))
                    .map(pair -> pair.getT1().equals(pair.getT2())));
            StepVerifier.create(onItsOwn.all(own -> own))
                    .expectNext(true)
                    .expectComplete()
                    .verify(Await.BOUND);
        }

        /** What starts elsewhere goes on where its first call was answered, so one loop would carry it all. */
        @Test
        void callsOfOtherThreadsTakeTheLoopsOfABusyServiceInTurn() {
            makeBusy();
            HttpTransportProvider provider = new NettyHttpTransportProvider();
            Mono<String> call = Mono.defer(() -> {
                assertThat(provider.callerScheduler()).as("takes no turn").isNotNull();
                return threadOfACall();
            });
            Set<String> threads = new HashSet<>();
            for (int i = 0; i < LoopResources.DEFAULT_IO_WORKER_COUNT; i++) {
                threads.add(Objects.requireNonNull(call.block(Await.BOUND)));
            }
            assertThat(threads).hasSize(LoopResources.DEFAULT_IO_WORKER_COUNT);
        }

        /** They would be closed as idle before their next use. */
        @Test
        void loopsShareTheConnectionsOfAQuietService() throws InterruptedException {
            StepVerifier.create(loops().concatMap(loop -> threadsOfCalls(loop, 5)))
                    .expectNextCount(5L * LoopResources.DEFAULT_IO_WORKER_COUNT)
                    .expectComplete()
                    .verify(Await.BOUND);
            for (int i = server.getRequestCount(); i > 0; i--) {
                assertThat(server.takeRequest().getConnectionIndex()).isZero();
            }
        }

        /** As where a Spring context is closed and the next one starts. */
        @Test
        void itUsesTheLoopsOfOtherClientsAndThoseThatReplaceThem() {
            for (int i = 0; i < 2; i++) {
                StepVerifier.create(threadOfACall())
                        .expectNextMatches(thread -> thread.startsWith("reactor-http"))
                        .expectComplete()
                        .verify(Await.BOUND);
                Await.done(HttpResources.disposeLoopsAndConnectionsLater(Duration.ZERO, Duration.ofSeconds(5)));
            }
        }

        @Test
        void closingItLeavesTheLoopsToOtherClients() {
            StepVerifier.create(threadOfACall())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(Await.BOUND);
            Await.done(calls.disposeLater());
            server.enqueue(status(200));
            StepVerifier.create(HttpClient.create().get().uri(url("/x")).response())
                    .expectNextCount(1)
                    .expectComplete()
                    .verify(Await.BOUND);
        }

        /** A change of threads costs more than anything else that follows an answer. */
        @Test
        void codeOfACallersLoopGoesOnThereAndOtherCodeOnAnother() {
            HttpTransportProvider provider = new NettyHttpTransportProvider();
            Mono<Boolean> onItsLoop = Mono.defer(() -> {
                        Thread own = Thread.currentThread();
                        return Mono.just(1)
                                .publishOn(provider.callerScheduler())
                                .delayElement(Duration.ofMillis(1), provider.callerScheduler())
                                .map(one -> Thread.currentThread() == own);
                    })
                    .subscribeOn(
                            Schedulers.fromExecutorService(HttpResources.get().onClient(LoopResources.DEFAULT_NATIVE)));
            StepVerifier.create(onItsLoop.repeat(10))
                    .expectNextSequence(Collections.nCopies(11, true))
                    .expectComplete()
                    .verify(Await.BOUND);
            Mono<Boolean> elsewhere = Mono.defer(() -> Mono.just(1).publishOn(provider.callerScheduler()))
                    .map(one -> Thread.currentThread().getName().startsWith("parallel"));
            StepVerifier.create(elsewhere).expectNext(true).expectComplete().verify(Await.BOUND);
        }

        /** What has ended is not told as a failure because the loop of its caller has ended meanwhile. */
        @Test
        void codeWhoseLoopHasEndedGoesOnAnother() {
            HttpTransportProvider provider = new NettyHttpTransportProvider();
            Scheduler ofALoop = Objects.requireNonNull(Mono.fromSupplier(provider::callerScheduler)
                    .subscribeOn(
                            Schedulers.fromExecutorService(HttpResources.get().onClient(LoopResources.DEFAULT_NATIVE)))
                    .block(Await.BOUND));
            Await.done(HttpResources.disposeLoopsAndConnectionsLater(Duration.ZERO, Duration.ofSeconds(5)));
            Mono<String> thread = Mono.just(1)
                    .publishOn(ofALoop)
                    .delayElement(Duration.ofMillis(1), ofALoop)
                    .map(one -> Thread.currentThread().getName());
            StepVerifier.create(thread)
                    .expectNextMatches(name -> name.startsWith("parallel"))
                    .expectComplete()
                    .verify(Await.BOUND);
        }

        /** A renewal and a termination are as far from the callers' loops as their timeouts. */
        @Test
        void aBlockedCallerDelaysTheCallsOnly() {
            AtomicBoolean released = new AtomicBoolean();
            CountDownLatch blocked = new CountDownLatch(LoopResources.DEFAULT_IO_WORKER_COUNT);
            HttpResources.get()
                    .onClient(LoopResources.DEFAULT_NATIVE)
                    .forEach(loop -> loop.execute(() -> {
                        blocked.countDown();
                        while (!released.get()) {} // anything better would be noticed as blocking
                    }));
            try {
                Await.until("all are blocked", () -> blocked.getCount() == 0);
                server.enqueue(status(200));
                assertThat(send(get(url("/x"))).status()).isEqualTo(200);
                try (EchoServer hanging = new EchoServer()) {
                    HttpRequest late = request("GET", hanging.url() + "/hang", null, Duration.ofMillis(100), 1);
                    assertThat(failure(late).kind()).isEqualTo(Kind.TIMEOUT);
                }
            } finally {
                released.set(true);
            }
        }
    }

    @Nested
    class Requests {
        @Test
        void reachesAHostThatNoUriKnows() {
            use(NettyHttpTransport.builder().customize(it -> it.resolver(new LoopbackResolver())));
            server.enqueue(status(200));
            HttpRequest request = get("http://caracal_sts:" + server.getPort() + "/health");
            assertThat(request.uri().getHost()).isNull();
            assertThat(send(request).status()).isEqualTo(200);
            server.enqueue(new MockResponse.Builder()
                    .onResponseStart(new SocketEffect.CloseSocket())
                    .build());
            assertThat(failure(request)).hasMessageContaining("http://caracal_sts:" + server.getPort() + "/health");
        }

        @Test
        void sendsTheUserAgentOfTheRequestInPlaceOfItsOwn() throws InterruptedException {
            server.enqueue(status(200));
            HttpRequest request = new HttpRequest(
                    "POST",
                    URI.create(url("/x")),
                    Map.of("User-Agent", "caracal-sdk-java/1"),
                    new byte[0],
                    Await.BOUND,
                    100);
            assertThat(send(request).status()).isEqualTo(200);
            assertThat(server.takeRequest().getHeaders().values("User-Agent")).containsExactly("caracal-sdk-java/1");
        }

        @Test
        void aRequestArrivesAsItIsAndItsAnswerComesBackWhole() throws InterruptedException {
            server.enqueue(new MockResponse.Builder()
                    .code(201)
                    .addHeader("X-Request-Id", "first")
                    .addHeader("x-request-id", "second")
                    .chunkedBody("äö".repeat(5000), 100)
                    .build());
            HttpResponse response = send(request("POST", url("/token?a=b%20c"), "body"));
            assertThat(response.status()).isEqualTo(201);
            assertThat(response.header("x-Request-ID")).contains("first");
            assertThat(new String(response.body(), StandardCharsets.UTF_8)).isEqualTo("äö".repeat(5000));
            RecordedRequest seen = server.takeRequest();
            assertThat(seen.getTarget()).isEqualTo("/token?a=b%20c");
            assertThat(seen.getHeaders().values("Authorization")).containsExactly("Bearer " + SECRET);
            assertThat(seen.getHeaders().values("Content-Length")).containsExactly("4");
            assertThat(seen.getHeaders().values("Transfer-Encoding")).isEmpty();
            assertThat(seen.getHeaders().values("Accept-Encoding")).isEmpty();
            assertThat(Objects.requireNonNull(seen.getBody()).utf8()).isEqualTo("body");
        }

        @Test
        void requestsWithoutABodySayHowLongItIs() throws InterruptedException {
            for (String method : List.of("GET", "POST", "PATCH", "DELETE")) {
                server.enqueue(status(204));
                assertThat(send(request(method, url("/x"), null)).body()).isEmpty();
                RecordedRequest seen = server.takeRequest();
                assertThat(seen.getMethod()).isEqualTo(method);
                assertThat(seen.getHeaders().values("Transfer-Encoding")).isEmpty();
                assertThat(seen.getHeaders().values("Content-Length"))
                        .isEqualTo(method.equals("GET") ? List.of() : List.of("0"));
            }
        }

        @Test
        void eachSubscriptionSendsOnce() {
            server.enqueue(status(500));
            server.enqueue(new MockResponse(302, okhttp3.Headers.of("Location", "/elsewhere"), ""));
            Mono<HttpResponse> call = transport.exchange(request("POST", url("/x"), "body"));
            assertThat(server.getRequestCount()).isZero();
            StepVerifier.create(call.map(HttpResponse::status))
                    .expectNext(500)
                    .expectComplete()
                    .verify(Await.BOUND);
            StepVerifier.create(call.map(HttpResponse::status)) // Redirects are not followed
                    .expectNext(302)
                    .expectComplete()
                    .verify(Await.BOUND);
            assertThat(server.getRequestCount()).isEqualTo(2);
        }

        @Test
        void anUnsendableHeaderValueIsNotShown() {
            HttpRequest request = new HttpRequest(
                    "GET",
                    URI.create(url("/x")),
                    Map.of("Authorization", "Bearer " + SECRET + "\nX: y"),
                    new byte[0],
                    Duration.ofSeconds(5),
                    100);
            StepVerifier.create(transport.exchange(request))
                    .expectErrorSatisfies(it -> assertThat(it)
                            .isInstanceOf(IllegalArgumentException.class)
                            .hasMessageContaining("Authorization")
                            .hasMessageNotContaining(SECRET)
                            .hasNoCause())
                    .verify(Await.BOUND);
            assertThat(server.getRequestCount()).isZero();
            assertThat(transport.toString()).doesNotContain(SECRET);
        }
    }

    @Nested
    class Finding {
        @Test
        void theServiceLoaderFindsIt() {
            List<HttpTransport> found = ServiceLoader.load(HttpTransportProvider.class).stream()
                    .map(it -> it.get().create())
                    .toList();
            assertThat(found).singleElement().isInstanceOf(NettyHttpTransport.class);
            Await.done(found.get(0).disposeLater());
        }

        /** A thread's class loader may belong to something else, as in a common pool or a fat jar. */
        @Test
        void aClientFindsItWhateverTheThreadsClassLoader() throws Exception {
            CaracalConfig config = CaracalConfig.builder()
                    .zoneId("zone-1")
                    .applicationId("app-1")
                    .clientSecret("secret")
                    .resource("resource://billing-api", "https://billing.example.com")
                    .build();
            Callable<Caracal> create = () -> Caracal.create(config);
            try (URLClassLoader foreign = new URLClassLoader(new URL[0], null)) {
                for (@Nullable ClassLoader loader : new @Nullable ClassLoader[] {foreign, null}) {
                    FutureTask<Caracal> made = new FutureTask<>(create);
                    Thread thread = new Thread(made, "h6");
                    thread.setContextClassLoader(loader);
                    thread.start();
                    Await.done(made.get().disposeLater());
                }
            }
            Await.done(ForkJoinPool.commonPool().submit(create).get().disposeLater());
        }
    }

    @Nested
    class Failures {
        @Test
        void whatKeepsAConnectionAwayIsKindConnect() throws IOException {
            int port = closedPort();
            TransportException refused = failure(get("http://localhost:" + port + "/x?token=" + SECRET));
            assertThat(refused.kind()).isEqualTo(Kind.CONNECT);
            assertThat(refused).hasMessageContaining("refused").hasMessageContaining("localhost:" + port + "/x");
            assertThat(refused.isAmbiguous()).isFalse();
            TransportException unknown = failure(get("http://no-such-host.invalid/x"));
            assertThat(unknown.kind()).isEqualTo(Kind.CONNECT);
            assertThat(unknown).hasMessageContaining("resolve");
            server.useHttps(new Certificates().forServer().sslSocketFactory());
            TransportException untrusted = failure(get(url("/x")));
            assertThat(untrusted.kind()).isEqualTo(Kind.CONNECT);
            assertThat(untrusted).hasMessageContaining("TLS handshake");
        }

        private static int closedPort() throws IOException {
            try (ServerSocket taken = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                return taken.getLocalPort();
            }
        }

        /** Where the time is kept on another loop than the one of the connection, too. */
        @Test
        void theTimeOfARequestEndsWithItsAnswerHoweverLongThatIsUsed() {
            server.enqueue(status(200));
            assertThat(send(get(url("/connect"))).status())
                    .isEqualTo(200); // connecting may take long, and is not meant
            Duration limit = Duration.ofMillis(500);
            AtomicInteger late = new AtomicInteger();
            for (int i = 0; i < 4; i++) {
                server.enqueue(status(200));
                Mono<Integer> used = transport
                        .exchange(request("GET", url("/x"), null, limit, 1))
                        .map(answer -> {
                            long until =
                                    System.nanoTime() + limit.plusMillis(100).toNanos();
                            while (System.nanoTime() < until) {} // anything better would be noticed as blocking
                            return answer.status();
                        })
                        .doOnError(error -> late.incrementAndGet());
                StepVerifier.create(used).expectNext(200).expectComplete().verify(Await.BOUND);
            }
            assertThat(late).hasValue(0);
        }

        @Test
        void aServerThatDoesNotAnswerIsKindTimeout() {
            connect();
            server.enqueue(new MockResponse.Builder()
                    .onResponseStart(SocketEffect.Stall.INSTANCE)
                    .build());
            TransportException error =
                    failure(request("POST", url("/slow"), "body-s3cret", Duration.ofMillis(300), 100));
            assertThat(error.kind()).isEqualTo(Kind.TIMEOUT);
            assertThat(error.isAmbiguous()).isTrue();
            assertThat(error).hasMessageContaining("300 ms").hasMessageContaining("/slow");
        }

        @Test
        void aBrokenConnectionIsKindIo() {
            server.enqueue(new MockResponse.Builder()
                    .onResponseStart(new SocketEffect.CloseSocket())
                    .build());
            assertThat(failure(get(url("/x"))).kind()).isEqualTo(Kind.IO);
            server.enqueue(new MockResponse.Builder()
                    .body("half of the answer")
                    .onResponseBody(new SocketEffect.CloseSocket())
                    .build());
            assertThat(failure(get(url("/x"))).kind()).isEqualTo(Kind.IO);
        }
    }

    @Nested
    class Answers {
        @Test
        void anAnswerOverTheLimitIsNotReadToItsEnd() {
            String large = "x".repeat(200_000);
            server.enqueue(new MockResponse.Builder().body(large).build());
            server.enqueue(new MockResponse.Builder().chunkedBody(large, 1000).build());
            server.enqueue(
                    new MockResponse.Builder().chunkedBody("x".repeat(1000), 10).build());
            for (int i = 0; i < 2; i++) {
                TransportException error = failure(request("GET", url("/x"), null, Duration.ofSeconds(10), 1000));
                assertThat(error.kind()).isEqualTo(Kind.RESPONSE_TOO_LARGE);
                assertThat(error).hasMessageContaining("1000 bytes");
            }
            assertThat(send(request("GET", url("/x"), null, Duration.ofSeconds(10), 1000))
                            .body())
                    .hasSize(1000);
        }

        /** The status says more than that the page is large. */
        @Test
        void anErrorAnswerOverTheLimitKeepsItsStatusAndItsBeginning() {
            String large = "abc" + "x".repeat(200_000);
            server.enqueue(new MockResponse.Builder().code(502).body(large).build());
            server.enqueue(
                    new MockResponse.Builder().code(404).chunkedBody(large, 999).build());
            for (int status : new int[] {502, 404}) {
                HttpResponse answer = send(request("GET", url("/x"), null, Duration.ofSeconds(10), 1000));
                assertThat(answer.status()).isEqualTo(status);
                assertThat(new String(answer.body(), StandardCharsets.UTF_8))
                        .startsWith("abcxx")
                        .hasSize(1000);
            }
            server.enqueue(new MockResponse.Builder().body("next").build());
            assertThat(send(get(url("/x"))).status()).isEqualTo(200);
        }

        @ParameterizedTest
        @ValueSource(
                strings = {
                    "X-Request-Id",
                    "Retry-After",
                    "Date",
                    "Idempotency-Replayed",
                    "X-Caracal-Token-Expires-In",
                    "Location"
                })
        void ofAHeaderThatIsThereTwiceTheFirstCountsAndAHugeOneIsATypedError(String name) {
            server.enqueue(new MockResponse.Builder()
                    .addHeader(name, "first")
                    .addHeader(name, "second")
                    .body("ok")
                    .build());
            assertThat(send(get(url("/x"))).header(name)).contains("first");
            server.enqueue(new MockResponse.Builder()
                    .addHeader(name, "x".repeat(1_000_000))
                    .body("ok")
                    .build());
            TransportException huge = failure(get(url("/x")));
            assertThat(huge.kind()).isEqualTo(Kind.RESPONSE_TOO_LARGE);
            assertThat(huge).hasMessageContaining("headers").message().hasSizeLessThan(1_000);
            server.enqueue(new MockResponse.Builder().body("ok").build());
            assertThat(send(get(url("/x"))).header(name)).isNotEqualTo(Optional.of("first"));
        }

        /** Two lengths are how one answer is smuggled into another: nothing of it is used. */
        @Test
        void anAnswerWithTwoLengthsIsNone() {
            server.enqueue(new MockResponse.Builder()
                    .body("ok")
                    .addHeader("Content-Length", "1")
                    .build());
            assertThat(failure(get(url("/x"))).kind()).isEqualTo(Kind.IO);
            server.enqueue(new MockResponse.Builder().body("next").build());
            assertThat(new String(send(get(url("/x"))).body(), StandardCharsets.UTF_8))
                    .isEqualTo("next");
        }

        @Test
        void anEndlessAnswerIsCutOffAndItsConnectionClosed() {
            try (EchoServer endless = new EchoServer()) {
                HttpRequest request = request("GET", endless.url() + "/big", null, Duration.ofSeconds(10), 10_000);
                assertThat(failure(request).kind()).isEqualTo(Kind.RESPONSE_TOO_LARGE);
                assertThat(send(request("GET", endless.url() + "/x", null)).status())
                        .isEqualTo(200);
                // The cut-off connection was not used again.
                assertThat(endless.arrivals.stream()
                                .map(EchoServer.Arrival::connection)
                                .distinct())
                        .hasSize(2);
            }
        }
    }

    @Nested
    class Connections {
        /** Reactor Netty takes two turns for each connection, which alone would leave every other loop idle. */
        @Test
        void theyAreSpreadOverTheLoops() {
            use(NettyHttpTransport.builder().eventLoops(2));
            int requests = 8;
            for (int i = 0; i < requests; i++) {
                server.enqueue(status(200));
            }
            Set<String> threads = ConcurrentHashMap.newKeySet();
            Mono<HttpResponse> one = transport
                    .exchange(get(url("/x")))
                    .doOnNext(answer -> threads.add(Thread.currentThread().getName()));
            Mono<Void> all = Flux.range(0, requests).flatMap(i -> one, requests).then();
            StepVerifier.create(all).expectComplete().verify(Await.BOUND);
            assertThat(threads).hasSize(2);
        }

        @Test
        void boundsTheAcquireTimeout() {
            for (Duration bad : List.of(
                    Duration.ZERO,
                    Duration.ofMillis(-1),
                    Duration.ofNanos(1),
                    Duration.ofDays(292 * 365),
                    ChronoUnit.FOREVER.getDuration())) {
                assertThatThrownBy(() -> NettyHttpTransport.builder().acquireTimeout(bad))
                        .isInstanceOf(IllegalArgumentException.class)
                        .hasMessageContainingAll("acquireTimeout", bad.toString(), "1 millisecond", "1 hour");
            }
        }

        @Test
        void aFullPoolIsKindOverloadedAndNamesTheKnob() {
            use(NettyHttpTransport.builder().maxConnections(1).maxPending(1).acquireTimeout(Duration.ofMillis(200)));
            server.enqueue(new MockResponse.Builder()
                    .onResponseStart(SocketEffect.Stall.INSTANCE)
                    .build());
            Queue<Throwable> errors = new ConcurrentLinkedQueue<>();
            Mono<HttpResponse> call = transport.exchange(request("GET", url("/x"), null, Duration.ofSeconds(2), 100));
            Flux<HttpResponse> three = Flux.merge(
                    call.onErrorComplete(), // holds the only connection until its timeout
                    Mono.defer(() -> {
                                Await.until("the connection is in use", () -> server.getRequestCount() == 1);
                                return Flux.mergeDelayError(
                                                2,
                                                call.doOnError(errors::add).onErrorComplete(),
                                                call.doOnError(errors::add).onErrorComplete())
                                        .next();
                            })
                            .subscribeOn(Schedulers.boundedElastic()));
            StepVerifier.create(three).expectComplete().verify(Await.BOUND);
            assertThat(errors)
                    .hasSize(2)
                    .allMatch(it -> it instanceof TransportException error && error.kind() == Kind.OVERLOADED)
                    .anyMatch(it -> it.toString().contains("maxPending"))
                    .anyMatch(it -> it.toString().contains("maxConnections"));
        }

        @RepeatedTest(20)
        void cancelledRequestsLoseNoConnection() {
            use(NettyHttpTransport.builder().maxConnections(1));
            try (EchoServer busy = new EchoServer()) {
                busy.quiet();
                Mono<HttpResponse> call = transport.exchange(get(busy.url() + "/medium"));
                // A request after a cancelled one does not get its closing connection.
                Flux<HttpResponse> cancelled = Flux.range(0, 200)
                        .concatMap(i -> call.take(Duration.ofNanos(i * 10_000L)).then(Mono.<HttpResponse>empty()));
                Await.done(cancelled);
                assertThat(send(get(busy.url() + "/medium")).status()).isEqualTo(200);
            }
        }

        /** A new connection, and one that is used again. */
        @ParameterizedTest
        @CsvSource({
            "false, [connected]",
            "false, [configured]",
            "false, [request_prepared]",
            "true, [acquired]",
            "true, [configured]",
            "true, [request_prepared]"
        })
        void aCancelThatMeetsItsConnectionLosesNone(boolean kept, String state) {
            AtomicReference<Sinks.@Nullable Empty<Void>> armed = new AtomicReference<>();
            use(NettyHttpTransport.builder()
                    .maxConnections(1)
                    .customize(it -> it.observe((connection, reached) -> {
                        Sinks.Empty<Void> cancel = reached.toString().equals(state) ? armed.getAndSet(null) : null;
                        if (cancel != null) {
                            var unused = cancel.tryEmitEmpty();
                        }
                    })));
            try (EchoServer server = new EchoServer()) {
                if (kept) {
                    assertThat(send(get(server.url() + "/before")).status()).isEqualTo(200);
                }
                Sinks.Empty<Void> cancel = Sinks.empty();
                armed.set(cancel);
                Await.done(transport.exchange(get(server.url() + "/cancelled")).takeUntilOther(cancel.asMono()));
                assertThat(armed).hasNullValue();
                assertThat(send(get(server.url() + "/after")).status()).isEqualTo(200);
            }
        }

        /** At the very moment at which the answer comes, from another thread. */
        @Test
        @Tag("soak")
        void aCancelThatMeetsTheAnswerLosesNothingAndHitsNobodyElse() {
            AtomicBoolean answered = new AtomicBoolean();
            use(NettyHttpTransport.builder()
                    .maxConnections(2)
                    .customize(it -> it.doOnResponse((response, connection) -> answered.set(true))));
            try (EchoServer busy = new EchoServer()) {
                busy.quiet();
                Mono<HttpResponse> call = transport.exchange(get(busy.url() + "/x"));
                AtomicBoolean done = new AtomicBoolean();
                // Somebody else's, on the other connection or on the one that is free again.
                Mono<Long> others = call.repeat(() -> !done.get()).count();
                Mono<Long> background = others.cache();
                Disposable running = background.subscribe();
                for (int i = 0; i < Effort.of(1_000, 5_000); i++) {
                    answered.set(false);
                    Disposable cancelled = call.subscribe();
                    while (!answered.get() && !running.isDisposed()) {
                        Thread.onSpinWait();
                    }
                    for (int j = 0; j < i % 100; j++) {
                        Thread.onSpinWait();
                    }
                    cancelled.dispose();
                }
                done.set(true);
                assertThat(background.block(Await.BOUND)).isPositive();
            }
        }

        @RepeatedTest(20)
        void aConnectionTheServerClosedWhileIdleIsNotUsedAgain() {
            AtomicInteger closed = new AtomicInteger();
            use(NettyHttpTransport.builder()
                    .customize(it -> it.doOnConnected(connection ->
                            connection.channel().closeFuture().addListener(done -> closed.incrementAndGet()))));
            server.enqueue(new MockResponse.Builder()
                    .body("one")
                    .onResponseEnd(new SocketEffect.CloseSocket())
                    .build());
            server.enqueue(new MockResponse.Builder().body("two").build());
            assertThat(send(get(url("/x"))).status()).isEqualTo(200);
            Await.until("the server has closed the connection", () -> closed.get() == 1);
            assertThat(new String(send(get(url("/x"))).body(), StandardCharsets.UTF_8))
                    .isEqualTo("two");
            assertThat(NettyHttpTransport.MAX_IDLE_TIME).isLessThan(Duration.ofSeconds(60));
        }

        @Test
        void aRequestThatWasReceivedIsNeverRepeated() throws IOException {
            AtomicInteger arrivals = new AtomicInteger();
            use(NettyHttpTransport.builder().maxConnections(1)); // the next request waits for the same connection
            try (ServerSocket resetting = new ServerSocket(0, 50, InetAddress.getLoopbackAddress())) {
                Thread acceptor = new Thread(() -> serveOnceThenReset(resetting, arrivals), "resetting");
                acceptor.setDaemon(true);
                acceptor.start();
                String url = "http://localhost:" + resetting.getLocalPort() + "/";
                int answered = 0;
                for (int i = 0; i < 10; i++) {
                    if (i % 2 == 0) {
                        assertThat(send(request("POST", url, "body")).status()).isEqualTo(200);
                        answered++;
                    } else {
                        assertThat(failure(request("POST", url, "body")).kind()).isEqualTo(Kind.IO);
                    }
                }
                assertThat(answered).isEqualTo(5);
                assertThat(arrivals).hasValue(10);
            }
        }

        /** Answers the first request of a connection, receives the second, and resets. */
        private static void serveOnceThenReset(ServerSocket server, AtomicInteger arrivals) {
            try {
                while (true) {
                    try (Socket socket = server.accept()) {
                        BufferedReader in = new BufferedReader(
                                new InputStreamReader(socket.getInputStream(), StandardCharsets.UTF_8));
                        for (int request = 0; request < 2; request++) {
                            for (String line = in.readLine(); line != null && !line.isEmpty(); line = in.readLine()) {}
                            char[] body = new char[4];
                            if (in.read(body) == 4) {
                                arrivals.incrementAndGet();
                            }
                            if (request == 0) {
                                socket.getOutputStream()
                                        .write("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
                                                .getBytes(StandardCharsets.UTF_8));
                            } else {
                                socket.setSoLinger(true, 0);
                            }
                        }
                    }
                }
            } catch (IOException e) {
                return; // the test is over
            }
        }
    }

    @Nested
    class Customizing {
        @Test
        void theCustomizerSetsTheResolver() {
            LoopbackResolver resolver = new LoopbackResolver();
            use(NettyHttpTransport.builder().customize(it -> it.resolver(resolver)));
            server.enqueue(new MockResponse.Builder().body("found").build());
            assertThat(send(get("http://sts.internal:" + server.getPort() + "/x"))
                            .status())
                    .isEqualTo(200);
            assertThat(resolver.asked).containsExactly("sts.internal");
        }

        @Test
        void theCustomizerSetsAProxyThatTunnels() {
            Certificates certificates = new Certificates();
            server.useHttps(certificates.forServer().sslSocketFactory());
            server.enqueue(new MockResponse.Builder().inTunnel().build());
            server.enqueue(new MockResponse.Builder().body("tunnelled").build());
            SslContext trusting = certificates.forClient(certificates.server);
            use(NettyHttpTransport.builder()
                    .sslContext(() -> trusting)
                    .customize(it -> it.proxy(spec -> spec.type(ProxyProvider.Proxy.HTTP)
                            .host("localhost")
                            .port(server.getPort()))));
            HttpResponse response = send(get("https://localhost:9/x"));
            assertThat(new String(response.body(), StandardCharsets.UTF_8)).isEqualTo("tunnelled");
            assertThat(server.getRequestCount()).isEqualTo(2);
        }

        @Test
        void aProxyThatRefusesIsKindConnect() throws InterruptedException {
            server.enqueue(status(407));
            use(NettyHttpTransport.builder()
                    .customize(it -> it.proxy(spec -> spec.type(ProxyProvider.Proxy.HTTP)
                            .host("localhost")
                            .port(server.getPort()))));
            // The name behind the proxy is resolved by the proxy alone: here it is unknown.
            TransportException error = failure(get("https://behind.invalid:9/x"));
            assertThat(error.kind()).isEqualTo(Kind.CONNECT);
            assertThat(error).hasMessageContaining("proxy");
            assertThat(server.takeRequest().getTarget()).isEqualTo("behind.invalid:9");
        }
    }

    @Nested
    class Tls {
        @Test
        void aRotatedClientCertificateIsUsedByTheNextConnection() throws InterruptedException {
            Certificates certificates = new Certificates();
            server.useHttps(certificates.forServer().sslSocketFactory());
            server.requireClientAuth();
            AtomicReference<SslContext> current =
                    new AtomicReference<>(certificates.forClient(certificates.issue("old")));
            use(NettyHttpTransport.builder().sslContext(current::get));
            server.enqueue(new MockResponse.Builder().body("1").build());
            server.enqueue(new MockResponse.Builder()
                    .body("2")
                    .addHeader("Connection", "close")
                    .build());
            server.enqueue(new MockResponse.Builder().body("3").build());
            assertThat(send(get(url("/x"))).status()).isEqualTo(200);
            current.set(certificates.forClient(certificates.issue("new")));
            assertThat(send(get(url("/x"))).status()).isEqualTo(200); // the old connection drains
            assertThat(send(get(url("/x"))).status()).isEqualTo(200);
            assertThat(peer(server.takeRequest())).contains("CN=old");
            assertThat(peer(server.takeRequest())).contains("CN=old");
            assertThat(peer(server.takeRequest())).contains("CN=new");
        }

        /** Reading the trust store blocks, which this thread would be noticed for. */
        @Test
        void itIsPreparedOnAnotherThread() {
            StepVerifier.create(Mono.defer(transport::prepareTls)
                            .subscribeOn(Schedulers.parallel())
                            .repeat(1))
                    .expectComplete()
                    .verify(Await.BOUND);
        }

        private static String peer(RecordedRequest request) {
            return String.valueOf(Objects.requireNonNull(request.getHandshake()).peerPrincipal());
        }

        @Test
        void aSupplierWithoutAContextIsKindConnect() {
            use(NettyHttpTransport.builder().sslContext(() -> {
                throw new IllegalStateException("not loaded yet");
            }));
            server.useHttps(new Certificates().forServer().sslSocketFactory());
            TransportException error = failure(get(url("/x")));
            assertThat(error.kind()).isEqualTo(Kind.CONNECT);
            assertThat(error).hasMessageContaining("sslContext");
        }

        @Test
        void theWrongHostNameIsRefused() {
            Certificates certificates = new Certificates();
            server.useHttps(certificates.forServer().sslSocketFactory());
            SslContext trusting = certificates.forClient(certificates.server);
            use(NettyHttpTransport.builder()
                    .sslContext(() -> trusting)
                    .customize(it -> it.resolver(new LoopbackResolver())));
            TransportException error = failure(get("https://sts.internal:" + server.getPort() + "/x"));
            assertThat(error.kind()).isEqualTo(Kind.CONNECT);
            assertThat(error).hasMessageContaining("certificate");
        }
    }

    @Nested
    class Closing {
        @Test
        void afterCloseNothingIsSentAndAllCallersShareOneEnd() {
            server.enqueue(status(200));
            assertThat(send(get(url("/x"))).status()).isEqualTo(200);
            Mono<Void> end = transport.disposeLater();
            assertThat(transport.isDisposed()).isFalse();
            Await.done(Flux.merge(end, transport.disposeLater()));
            transport.dispose();
            Await.done(end);
            assertThat(transport.isDisposed()).isTrue();
            StepVerifier.create(transport.exchange(get(url("/x"))))
                    .expectError(ClosedException.class)
                    .verify(Await.BOUND);
            assertThat(server.getRequestCount()).isEqualTo(1);
        }

        @Test
        void whatTheCustomizerBroughtIsNotDisposed() {
            ConnectionProvider pool = ConnectionProvider.create("mine", 1);
            LoopResources loops = LoopResources.create("mine", 1, true);
            use(NettyHttpTransport.builder()
                    .customize(it -> HttpClient.create(pool).runOn(loops)));
            server.enqueue(status(200));
            assertThat(send(get(url("/x"))).status()).isEqualTo(200);
            Await.done(transport.disposeLater());
            assertThat(loops.isDisposed()).isFalse();
            assertThat(pool.isDisposed()).isFalse();
            Await.done(pool.disposeLater());
            Await.done(loops.disposeLater(Duration.ZERO, Duration.ofSeconds(5)));
        }

        /** On loops and a pool of its own, and on those of a customizer, which go on. */
        @ParameterizedTest
        @ValueSource(booleans = {false, true})
        void closingFailsTheRequestsUnderWay(boolean customized) {
            ConnectionProvider pool = ConnectionProvider.builder("mine")
                    .maxConnections(2)
                    .pendingAcquireMaxCount(20)
                    .build();
            LoopResources loops = LoopResources.create("mine", 1, true);
            use(NettyHttpTransport.builder()
                    .maxConnections(2)
                    .customize(it -> customized ? HttpClient.create(pool).runOn(loops) : it));
            try (EchoServer hanging = new EchoServer()) {
                HttpRequest request =
                        request("POST", hanging.url() + "/hang", "{}", Duration.ofMinutes(10), Integer.MAX_VALUE);
                Mono<List<Throwable>> failures = Flux.range(0, 8)
                        .flatMap(i -> transport
                                .exchange(request)
                                .<Throwable>map(answer -> new AssertionError(answer))
                                .onErrorResume(Mono::just))
                        .collectList()
                        .cache();
                Disposable running = failures.subscribe();
                Await.until("two are being answered", () -> hanging.arrivals.size() == 2);
                Await.done(transport.disposeLater());
                List<Throwable> seen = Objects.requireNonNull(failures.block(Await.BOUND));
                assertThat(running.isDisposed()).isTrue();
                assertThat(seen).filteredOn(ClosedException.class::isInstance).hasSize(6);
                assertThat(seen)
                        .filteredOn(error -> error instanceof TransportException lost
                                && lost.kind() == Kind.IO
                                && lost.isAmbiguous()
                                && lost.toString().contains("closed"))
                        .hasSize(2);
                assertThat(hanging.arrivals).hasSize(2);
            } finally {
                Await.done(pool.disposeLater());
                Await.done(loops.disposeLater(Duration.ZERO, Duration.ofSeconds(5)));
            }
        }

        /** A loop that is shut down from a task of its own leaves them open. */
        @Test
        void closingClosesConnectionsThatNoPoolOfOursHolds() {
            ConnectionProvider brought = ConnectionProvider.create("brought", 4);
            AtomicInteger open = new AtomicInteger();
            UnaryOperator<HttpServer> counting = server -> server.doOnConnection(connection -> {
                open.incrementAndGet();
                connection.channel().closeFuture().addListener(closed -> open.decrementAndGet());
            });
            try (EchoServer busy = new EchoServer("http", counting)) {
                use(NettyHttpTransport.builder()
                        .customize(it -> HttpClient.create(brought)
                                .runOn(it.configuration().loopResources())));
                Await.done(Flux.range(0, 4).flatMap(i -> transport.exchange(get(busy.url() + "/x"))));
                assertThat(open).hasPositiveValue();
                // From a loop, as where a pipeline closes the client behind its last call.
                Await.done(transport.exchange(get(busy.url() + "/x")).then(Mono.defer(transport::disposeLater)));
                Await.until("they are closed", () -> open.get() == 0);
            } finally {
                Await.done(brought.disposeLater());
            }
        }

        /** Their loop may be the one on which the pool ends. */
        @RepeatedTest(20)
        void closingClosesConnectionsThatAreBeingMade() throws IOException {
            server.enqueue(status(200));
            assertThat(send(get(url("/x"))).status()).isEqualTo(200); // the pool ends on the loop of this connection
            try (ServerSocket silent = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
                Mono<Void> handshake = transport
                        .exchange(get("https://localhost:" + silent.getLocalPort() + "/x"))
                        .then()
                        .onErrorComplete()
                        .cache();
                Disposable running = handshake.subscribe();
                try (Socket accepted = silent.accept()) {
                    accepted.setSoTimeout((int) Await.BOUND.toMillis());
                    assertThat(accepted.getInputStream().read()).isPositive(); // the hello
                    Await.done(transport.disposeLater());
                    Await.done(handshake);
                    assertThat(accepted.getInputStream().readAllBytes()).isNotNull(); // to its end
                }
                assertThat(running.isDisposed()).isTrue();
            }
        }

        @RepeatedTest(10)
        void closingClosesTheSocketOfALookup() throws IOException {
            try (DatagramSocket silent = new DatagramSocket(0, InetAddress.getLoopbackAddress())) {
                silent.setSoTimeout((int) Await.BOUND.toMillis());
                DnsServerAddressStreamProvider servers =
                        new SingletonDnsServerAddressStreamProvider((InetSocketAddress) silent.getLocalSocketAddress());
                use(NettyHttpTransport.builder()
                        .customize(it -> it.resolver(spec -> spec.dnsAddressResolverGroupProvider(
                                dns -> new DnsAddressResolverGroup(dns.nameServerProvider(servers))))));
                Mono<Void> lookup = transport
                        .exchange(get("http://nobody.example/x"))
                        .then()
                        .onErrorComplete()
                        .cache();
                Disposable running = lookup.subscribe();
                DatagramPacket query = new DatagramPacket(new byte[512], 512);
                silent.receive(query);
                Await.done(transport.disposeLater());
                Await.done(lookup);
                assertThat(running.isDisposed()).isTrue();
                Await.until("its socket is closed", () -> isFree(query.getPort()));
            }
        }

        private static boolean isFree(int port) {
            try (DatagramSocket mine = new DatagramSocket(port)) {
                return mine.isBound();
            } catch (IOException e) {
                return false;
            }
        }

        @Test
        void closingGoesOnWhereASubscriberBlocksItsLoop() {
            AtomicBoolean released = new AtomicBoolean();
            AtomicBoolean blocked = new AtomicBoolean();
            VirtualTimeScheduler time = VirtualTimeScheduler.getOrSet();
            try {
                NettyHttpTransport one = NettyHttpTransport.create();
                server.enqueue(status(200));
                Mono<HttpResponse> blocking = one.exchange(get(url("/x")))
                        .doOnNext(answer -> {
                            blocked.set(true);
                            while (!released.get()) {} // anything better would be noticed as blocking
                        })
                        .cache();
                Disposable running = blocking.subscribe();
                Await.until("it blocks", blocked::get);
                AtomicReference<Throwable> end = new AtomicReference<>();
                Disposable closing = one.disposeLater().subscribe(null, end::set);
                Await.until("the rest is closed", () -> {
                    time.advanceTimeBy(Duration.ofSeconds(1));
                    return end.get() != null;
                });
                assertThat(end.get()).hasMessageContaining("couldn't be disposed");
                assertThat(running.isDisposed() || closing.isDisposed()).isTrue();
            } finally {
                released.set(true);
                VirtualTimeScheduler.reset();
            }
            Await.until(
                    "no thread of it is left",
                    () -> Threads.named("caracal-http").size() <= 2); // the other transport's
        }

        /** While connections are opened, requests written, answers read and calls cancelled. */
        @Test
        @Tag("soak")
        void closingAmongRequestsLeavesNoneUnfinished() {
            List<Mono<Void>> ends = new ArrayList<>();
            try (EchoServer busy = new EchoServer()) {
                busy.quiet();
                for (int round = 0; round < Effort.of(60, 200); round++) {
                    NettyHttpTransport one =
                            NettyHttpTransport.builder().maxConnections(8).build();
                    Mono<HttpResponse> call =
                            one.exchange(request("POST", busy.url() + "/x", "{}", Duration.ofMinutes(10), 1 << 20));
                    Mono<Void> all = Flux.range(0, 100)
                            .flatMap(
                                    i -> (i % 3 == 0 ? call.take(Duration.ofNanos(i * 20_000L)) : call)
                                            .onErrorResume(ClosedException.class, closed -> Mono.empty())
                                            .onErrorResume(TransportException.class, lost -> Mono.empty()),
                                    16)
                            .then()
                            .cache();
                    Disposable running = all.subscribe();
                    LockSupport.parkNanos(round * (long) Effort.of(150_000, 50_000));
                    one.dispose();
                    Await.done(all);
                    assertThat(running.isDisposed()).isTrue();
                    ends.add(one.disposeLater());
                }
                Await.done(Mono.when(ends));
            }
        }

        @Test
        @Tag("soak")
        void transportsLeaveNoThreadBehind() {
            Await.done(transport.disposeLater());
            for (int i = 0; i < Effort.of(20, 100); i++) {
                server.enqueue(status(200));
                NettyHttpTransport one = NettyHttpTransport.create();
                HttpResponse response =
                        Objects.requireNonNull(one.exchange(get(url("/x"))).block(Await.BOUND));
                assertThat(response.status()).isEqualTo(200);
                Await.done(one.disposeLater());
            }
            Await.until(
                    "no thread of a transport is left",
                    () -> Threads.named("caracal-http").isEmpty());
        }

        @Test
        void aClosedTransportIsKeptByNobody() {
            WeakReference<LoopResources> loops = loopsOfAClosedTransport();
            Await.until("its event loops are collected", () -> {
                System.gc();
                return loops.get() == null;
            });
        }

        private WeakReference<LoopResources> loopsOfAClosedTransport() {
            AtomicReference<WeakReference<LoopResources>> loops = new AtomicReference<>();
            NettyHttpTransport one = NettyHttpTransport.builder()
                    .customize(client -> {
                        loops.set(new WeakReference<>(client.configuration().loopResources()));
                        return client;
                    })
                    .build();
            server.enqueue(status(200));
            // By name, so that it is resolved.
            Await.done(one.exchange(get("http://localhost:" + server.getPort() + "/x")));
            Await.done(one.disposeLater());
            return Objects.requireNonNull(loops.get());
        }

        @Test
        void theLoopsAreOurOwnDaemonsAndFirstCallsMayComeFromThem() {
            Queue<Thread> threads = new ConcurrentLinkedQueue<>();
            server.enqueue(status(200));
            server.enqueue(status(200));
            Mono<HttpResponse> nested = transport
                    .exchange(get(url("/x")))
                    .doOnNext(it -> threads.add(Thread.currentThread()))
                    .flatMap(it -> transport.exchange(get(url("/y"))))
                    .subscribeOn(Schedulers.parallel());
            StepVerifier.create(nested).expectNextCount(1).expectComplete().verify(Await.BOUND);
            assertThat(threads)
                    .singleElement()
                    .matches(it -> it.isDaemon() && it.getName().startsWith("caracal-http"));
            Certificates certificates = new Certificates();
            server.useHttps(certificates.forServer().sslSocketFactory());
            StepVerifier.create(transport.exchange(get(url("/x"))).subscribeOn(Schedulers.parallel()))
                    .expectError(TransportException.class) // untrusted; the trust store is read, but not here
                    .verify(Await.BOUND);
        }
    }
}
