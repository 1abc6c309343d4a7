package run.caracal.redis;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.Closeable;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Locale;
import java.util.Queue;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;

/** A proxy between clients and a Redis that plays faults; initially it forwards all commands. */
final class RedisProxy implements Closeable {
    /** The commands of the handshake, which a Redis that rejects commands still answers. */
    private static final Set<String> HANDSHAKE = Set.of("hello", "client", "auth", "ping", "select");

    /** The treatment of a command. */
    @FunctionalInterface
    interface Fault {
        /**
         * Plays the fault.
         *
         * @param wire the connection of the client
         * @param command the raw command
         */
        void play(Wire wire, byte[] command) throws IOException;
    }

    private static final Fault NONE = (wire, command) -> wire.pass(command);

    private final ServerSocket listener;
    private final int target;
    private final Queue<Closeable> open = new ConcurrentLinkedQueue<>();
    private volatile Fault fault = NONE;
    private volatile boolean cutting;

    RedisProxy(int target) {
        this.target = target;
        try {
            listener = new ServerSocket(0, 50, InetAddress.getLoopbackAddress());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        run("accept", this::accept);
    }

    int port() {
        return listener.getLocalPort();
    }

    /** Sets the fault of further commands. */
    void play(Fault next) {
        fault = next;
    }

    /** Forwards all commands again, on new connections, because swallowed commands are not answered later. */
    void heal() throws IOException {
        cutting = false;
        fault = NONE;
        for (Closeable each : open) {
            each.close();
        }
    }

    /** Answers each command instead of Redis. */
    static Fault answering(String answer) {
        return (wire, command) -> wire.answer(answer);
    }

    /** Closes the connection without forwarding the command. */
    static Fault closing() {
        return (wire, command) -> wire.close();
    }

    /** Neither forwards nor answers the command. */
    static Fault swallowing() {
        return (wire, command) -> {};
    }

    /** Forwards the command, and closes the connection within its answer. */
    Fault cutting() {
        return (wire, command) -> {
            cutting = true;
            wire.pass(command);
        };
    }

    private void accept() throws IOException {
        while (true) {
            Socket client = listener.accept();
            Socket redis = new Socket(InetAddress.getLoopbackAddress(), target);
            open.add(client);
            open.add(redis);
            Wire wire = new Wire(client, redis);
            run("commands", wire::commands);
            run("answers", wire::answers);
        }
    }

    private interface Work {
        void run() throws IOException;
    }

    private static void run(String name, Work work) {
        Thread thread = new Thread(
                () -> {
                    try {
                        work.run();
                    } catch (IOException e) {
                        return; // a connection has ended
                    }
                },
                "redis-proxy-" + name);
        thread.setDaemon(true);
        thread.start();
    }

    /** One connection. */
    final class Wire {
        private final Socket client;
        private final Socket redis;

        private Wire(Socket client, Socket redis) {
            this.client = client;
            this.redis = redis;
        }

        void pass(byte[] command) throws IOException {
            redis.getOutputStream().write(command);
        }

        void answer(String answer) throws IOException {
            client.getOutputStream().write(answer.getBytes(StandardCharsets.UTF_8));
        }

        void close() throws IOException {
            client.setSoLinger(true, 0);
            client.close();
            redis.close();
        }

        private void commands() throws IOException {
            try (client;
                    redis) {
                InputStream in = new BufferedInputStream(client.getInputStream());
                while (true) {
                    byte[] command = command(in);
                    (HANDSHAKE.contains(name(command)) ? NONE : fault).play(this, command);
                }
            }
        }

        private void answers() throws IOException {
            byte[] buffer = new byte[1 << 16];
            OutputStream out = client.getOutputStream();
            InputStream in = redis.getInputStream();
            for (int read = in.read(buffer); read >= 0; read = in.read(buffer)) {
                if (cutting) {
                    // Incomplete, or several together.
                    out.write(buffer, 0, 1);
                    close();
                } else {
                    out.write(buffer, 0, read);
                }
            }
        }
    }

    /** A command is an array of length-prefixed strings. */
    private static byte[] command(InputStream in) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        int parts = number(line(in, bytes));
        for (int i = 0; i < parts; i++) {
            int length = number(line(in, bytes));
            bytes.write(in.readNBytes(length + 2));
        }
        return bytes.toByteArray();
    }

    private static String line(InputStream in, ByteArrayOutputStream bytes) throws IOException {
        StringBuilder line = new StringBuilder();
        for (int next = in.read(); ; next = in.read()) {
            if (next < 0) {
                throw new EOFException();
            }
            bytes.write(next);
            line.append((char) next);
            if (next == '\n') {
                return line.toString();
            }
        }
    }

    private static int number(String line) {
        return Integer.parseInt(line.substring(1).strip());
    }

    private static String name(byte[] command) {
        String[] lines = new String(command, StandardCharsets.ISO_8859_1).split("\r\n", 4);
        return lines[2].toLowerCase(Locale.ROOT);
    }

    @Override
    public void close() {
        try {
            listener.close();
            heal();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    /** A malformed answer. */
    static String garbage() {
        byte[] bytes = new byte[64];
        Arrays.fill(bytes, (byte) '?');
        return new String(bytes, StandardCharsets.US_ASCII) + "\r\n";
    }
}
