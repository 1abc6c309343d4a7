package run.caracal.examples.soak;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.LongAdder;
import java.util.stream.Collectors;
import run.caracal.config.CaracalConfig;
import run.caracal.platform.Fault;
import run.caracal.platform.LocalPlatform;
import run.caracal.platform.PlatformLimits;
import run.caracal.platform.ProtectedResource;
import run.caracal.platform.ReceivedRequest;
import run.caracal.platform.Service;

/**
 * The local platform in a JVM of its own, so that nothing it keeps is measured, with faults that are switched on and off.
 * It reads commands from its standard input, a word a line, and ends with it.
 */
final class FaultyPlatform implements AutoCloseable {
    static final String APPLICATION = "app-soak";
    static final String SCOPE = "billing:charge";

    /** The protected API of the platform. */
    static final String BILLING = "resource://billing";

    /** A protected API in the measured JVM. */
    static final String INBOUND = "resource://inbound";

    private static final String SECRET = "secret-of-the-soak";

    /** So short that tokens and leases are renewed often, and longer than the delays of a busy machine. */
    private static final Duration TTL = Duration.ofSeconds(90);

    /** Longer than the timeout of a request. */
    private static final Duration STALL = Duration.ofSeconds(25);

    private static final Duration DELAY = Duration.ofMillis(50);

    private final Process process;
    private final BufferedReader answers;
    private final List<String> urls;

    private FaultyPlatform(Process process) throws IOException {
        this.process = process;
        this.answers = process.inputReader(StandardCharsets.UTF_8);
        this.urls = List.of(line().split(" ", -1));
    }

    /**
     * Starts it.
     *
     * @param seed of the faults
     * @param inboundUrl where {@link #INBOUND} is served
     */
    static FaultyPlatform start(long seed, String inboundUrl) throws IOException {
        return new FaultyPlatform(new ProcessBuilder(List.of(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-Xmx2g",
                        "-Dorg.slf4j.simpleLogger.log.reactor.netty=off",
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        Program.class.getName(),
                        String.valueOf(seed),
                        inboundUrl))
                .redirectError(ProcessBuilder.Redirect.INHERIT)
                .start());
    }

    /** A configuration of its application. */
    CaracalConfig.Builder config() {
        return CaracalConfig.builder()
                .zoneId("zone-local")
                .applicationId(APPLICATION)
                .clientSecret(SECRET)
                .stsUrl(urls.get(0))
                .coordinatorUrl(urls.get(1))
                .gatewayUrl(urls.get(2));
    }

    /** The address of the protected API itself. */
    String upstreamUrl() {
        return urls.get(3);
    }

    /** The ports that clients connect to. */
    Set<Integer> ports() {
        return urls.subList(0, 3).stream()
                .map(url -> Integer.valueOf(url.substring(url.lastIndexOf(':') + 1)))
                .collect(Collectors.toSet());
    }

    void faults(boolean on) {
        String unused = tell(on ? "on" : "off");
    }

    /** Its counts: {@code sessions} open now, and the requests and faults since its start. */
    Map<String, Long> counts() {
        Map<String, Long> counts = new TreeMap<>();
        for (String count : tell("count").split(" ", -1)) {
            String[] parts = count.split("=", -1);
            counts.put(parts[0], Long.valueOf(parts[1]));
        }
        return counts;
    }

    private String tell(String word) {
        try {
            process.getOutputStream().write((word + "\n").getBytes(StandardCharsets.UTF_8));
            process.getOutputStream().flush();
            return line();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private String line() throws IOException {
        String line = answers.readLine();
        if (line == null) {
            throw new IOException("the platform has ended");
        }
        return line;
    }

    @Override
    public void close() {
        process.destroy();
    }

    /** The program in the JVM of its own. */
    static final class Program {
        private final Random random;
        private final Map<String, LongAdder> counts = new ConcurrentHashMap<>();
        private final Set<String> struck = ConcurrentHashMap.newKeySet();
        private volatile boolean on;

        private Program(long seed) {
            random = new Random(seed);
        }

        public static void main(String[] arguments) throws IOException {
            LocalPlatform platform = LocalPlatform.builder()
                    .application(APPLICATION, SECRET)
                    .resource(ProtectedResource.of(BILLING, SCOPE))
                    .resource(ProtectedResource.of(INBOUND, SCOPE).withUpstream(arguments[1]))
                    .limits(PlatformLimits.builder()
                            .sessionsPerZone(100_000)
                            .sessionsPerApplication(100_000)
                            .childrenPerSession(1_000)
                            .coordinatorRequestsPerMinute(Integer.MAX_VALUE)
                            .mintsPerMinute(Integer.MAX_VALUE)
                            .idempotencyReceipts(Integer.MAX_VALUE)
                            .generatedIdempotencyRetention(Duration.ofMinutes(2))
                            .tokenTtl(TTL)
                            .serviceLease(TTL)
                            .recordedRequests(10)
                            .auditEvents(10)
                            .build())
                    .start();
            Program program = new Program(Long.parseLong(arguments[0]));
            for (Service service : List.of(Service.STS, Service.COORDINATOR, Service.GATEWAY, Service.UPSTREAM)) {
                platform.faults(service, program::decide);
            }
            System.out.println(String.join(
                    " ", platform.stsUrl(), platform.coordinatorUrl(), platform.gatewayUrl(), platform.upstreamUrl()));
            BufferedReader words = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
            for (String word = words.readLine(); word != null; word = words.readLine()) {
                switch (word) {
                    case "on", "off" -> {
                        program.on = word.equals("on");
                        program.struck.clear();
                        System.out.println(word);
                    }
                    default -> System.out.println(program.counts(platform));
                }
            }
            System.exit(0);
        }

        private String counts(LocalPlatform platform) {
            Map<String, Long> all = new TreeMap<>();
            counts.forEach((name, count) -> all.put(name, count.sum()));
            all.put("sessions", (long) platform.openSessionCount());
            all.put("opened", platform.totalOpened());
            all.put("repeated", platform.bearersSeen().repeated());
            return all.entrySet().stream()
                    .map(count -> count.getKey() + "=" + count.getValue())
                    .collect(Collectors.joining(" "));
        }

        private Fault decide(ReceivedRequest request) {
            boolean forKeys = request.path().startsWith("/.well-known/");
            count(forKeys ? "KEYS" : request.service().name());
            return on ? fault(request) : Fault.none();
        }

        /**
         * At most every second request for one thing is struck, so that a retry succeeds: any session left open then was
         * left by the client.
         */
        private Fault fault(ReceivedRequest request) {
            String thing = request.service()
                    + request.method()
                    + request.path()
                    + request.header("idempotency-key").orElse("");
            if (struck.remove(thing)) {
                return Fault.none();
            }
            int roll;
            synchronized (random) {
                roll = random.nextInt(1000);
            }
            if (roll < 65) {
                struck.add(thing);
            }
            if (roll < 20) {
                return counted("fault.reset", Fault.resetBefore());
            } else if (roll < 40) {
                return counted("fault.dropped_answer", Fault.dropResponse());
            } else if (roll < 55) {
                return counted("fault.503", Fault.respond(503, Map.of(), "{\"error\":\"unavailable\"}"));
            } else if (roll < 62) {
                // A termination is taken at its word.
                return request.method().equals("DELETE")
                        ? Fault.none()
                        : counted("fault.garbage", Fault.respond(200, Map.of(), "{{nonsense"));
            } else if (roll < 65) {
                return counted("fault.stall", Fault.delayResponse(STALL));
            } else if (roll < 110) {
                return counted("fault.delay", Fault.delay(DELAY));
            } else if (roll < 155) {
                return counted("fault.delayed_answer", Fault.delayResponse(DELAY));
            }
            return Fault.none();
        }

        private Fault counted(String name, Fault fault) {
            count(name);
            return fault;
        }

        private void count(String name) {
            counts.computeIfAbsent(name, n -> new LongAdder()).increment();
        }
    }
}
