package run.caracal.bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.function.UnaryOperator;
import reactor.core.publisher.Mono;
import reactor.netty.DisposableServer;
import reactor.netty.http.server.HttpServer;
import run.caracal.Caracal;
import run.caracal.config.CaracalConfig;

/** The canned platform on a socket, in a JVM of its own, so that its work is not counted as the client's. */
public final class BenchServer implements AutoCloseable {
    private final Process process;
    private final int port;

    private BenchServer(Process process, int port) {
        this.process = process;
        this.port = port;
    }

    /**
     * The server's own program: serves until its standard input ends, which it does with whoever started it.
     *
     * @param args none
     */
    public static void main(String[] args) throws IOException {
        Canned canned = new Canned(90);
        DisposableServer server = HttpServer.create()
                .host("127.0.0.1")
                .port(0)
                .httpRequestDecoder(spec -> spec.maxHeaderSize(16_384))
                .handle((request, response) -> {
                    String path = "/" + request.path();
                    String method = request.method().name();
                    response.status(Canned.status(method, path));
                    byte[] body = canned.answer(method, path, false);
                    response.header("Content-Length", String.valueOf(body.length));
                    if (Canned.isControl(path)) {
                        response.header("Content-Type", "application/json");
                    }
                    return request.receive()
                            .then(response.sendByteArray(Mono.just(body)).then());
                })
                .bindNow();
        System.out.println(server.port());
        while (System.in.read() >= 0) {
            // Nothing is said to it.
        }
        System.exit(0);
    }

    static BenchServer start() {
        try {
            Process process =
                    java(List.of("-Xmx1g", BenchServer.class.getName())).start();
            BufferedReader out = process.inputReader(StandardCharsets.UTF_8);
            String port = out.readLine();
            return new BenchServer(process, Integer.parseInt(port == null ? "the server did not start" : port));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A program of this class path in a JVM of its own. */
    static ProcessBuilder java(List<String> arguments) {
        List<String> command = new java.util.ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.addAll(arguments);
        return new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT);
    }

    String address() {
        return "http://127.0.0.1:" + port;
    }

    /** A client of this platform, on the SDK's own transport. */
    Caracal client() {
        return client(address());
    }

    /** A client with other settings than the defaults. */
    Caracal client(UnaryOperator<CaracalConfig.Builder> change) {
        return Caracal.create(change.apply(config(address())).build());
    }

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
