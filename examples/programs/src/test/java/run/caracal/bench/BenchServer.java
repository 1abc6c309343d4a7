package run.caracal.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.atomic.LongAdder;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.http.Http11SslContextSpec;
import reactor.netty.http.server.HttpServer;
import reactor.netty.tcp.SslProvider;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;

/** The canned platform on a socket, in a JVM of its own, so that its work is not counted as the client's. */
public final class BenchServer implements AutoCloseable {
    private final Process process;
    private final BufferedReader out;
    private final String address;

    private BenchServer(Process process, BufferedReader out, String address) {
        this.process = process;
        this.out = out;
        this.address = address;
    }

    /**
     * The server's own program: serves until its standard input ends, which it does with its parent process. For each
     * byte there it says how many connections and how many requests there have been.
     *
     * @param args the file of a key, for https
     */
    public static void main(String[] args) throws IOException {
        Canned canned = new Canned(90);
        LongAdder connections = new LongAdder();
        LongAdder requests = new LongAdder();
        HttpServer plain = HttpServer.create();
        DisposableServer server = (args.length == 0 ? plain : plain.secure(tls(args[0])))
                .host("127.0.0.1")
                .port(0)
                .httpRequestDecoder(spec -> spec.maxHeaderSize(16_384))
                .doOnChannelInit((observer, channel, address) -> connections.increment())
                .handle((request, response) -> {
                    requests.increment();
                    String path = "/" + request.path();
                    String method = request.method().name();
                    response.status(Canned.status(method, path));
                    response.header(
                            "Date", DateTimeFormatter.RFC_1123_DATE_TIME.format(ZonedDateTime.now(ZoneOffset.UTC)));
                    if (Canned.isControl(path)) {
                        response.header("Content-Type", "application/json");
                    }
                    return request.receive()
                            .aggregate()
                            .asByteArray()
                            .defaultIfEmpty(new byte[0])
                            .flatMap(sent -> {
                                byte[] body = canned.answer(method, path, sent);
                                if (body.length > 0) {
                                    response.header("Content-Length", String.valueOf(body.length));
                                }
                                return response.sendByteArray(Mono.just(body)).then();
                            });
                })
                .bindNow();
        System.out.println(server.port());
        while (System.in.read() >= 0) {
            System.out.println(connections.sum() + " " + requests.sum());
        }
        System.exit(0);
    }

    private static Consumer<SslProvider.SslContextSpec> tls(String file) throws IOException {
        SslProvider.GenericSslContextSpec<?> context = Http11SslContextSpec.forServer(SelfSigned.read(file));
        return spec -> spec.sslContext(context);
    }

    static BenchServer start() {
        return start("http", List.of());
    }

    /** Serves https. */
    static BenchServer start(SelfSigned identity) {
        return start("https", List.of(identity.keys()));
    }

    private static BenchServer start(String scheme, List<String> arguments) {
        try {
            List<String> program = new ArrayList<>(List.of("-Xmx1g", BenchServer.class.getName()));
            program.addAll(arguments);
            Process process = java(program).start();
            BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
            String port = Objects.requireNonNull(out.readLine(), "the server did not start");
            return new BenchServer(process, out, scheme + "://127.0.0.1:" + port);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A program of this class path in a JVM of its own. */
    static ProcessBuilder java(List<String> arguments) {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.addAll(arguments);
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    }

    String address() {
        return address;
    }

    /** How many connections were made to it. */
    long connections() {
        return count(0);
    }

    /** A client with other settings than the defaults. */
    Caracal client(UnaryOperator<CaracalConfig.Builder> change) {
        return Caracal.create(change.apply(config(address())).build());
    }

    /** How many requests it has begun to answer. */
    long requests() {
        return count(1);
    }

    private synchronized long count(int which) {
        try {
            process.getOutputStream().write('\n');
            process.getOutputStream().flush();
            return Long.parseLong(Objects.requireNonNull(out.readLine()).split(" ", -1)[which]);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A client as a program makes it. */
    static Caracal client(String address) {
        return Caracal.create(config(address).build());
    }

    private static CaracalConfig.Builder config(String address) {
        return CaracalConfig.builder()
                .zoneId("zone-1")
                .applicationId("app-1")
                .clientSecret("the-client-secret")
                .stsUrl(address)
                .coordinatorUrl(address)
                .gatewayUrl(address)
                .resource(Canned.RESOURCE, Canned.UPSTREAM);
    }

    @Override
    public void close() {
        process.destroy();
    }
}
