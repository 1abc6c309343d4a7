package run.caracal.bench;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyStore;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.KeyManagerFactory;

/** A server's key and certificate, and the JDK's trust store with that certificate in it. */
final class SelfSigned implements AutoCloseable {
    private static final String PASSWORD = "changeit";
    private static final Path JAVA = Path.of(System.getProperty("java.home"));

    private final Path folder;
    private final Path keys;
    private final Path certificate;
    private final Path trusted;

    SelfSigned() {
        try {
            folder = Files.createTempDirectory("bench");
            keys = folder.resolve("keys");
            certificate = folder.resolve("certificate");
            trusted = folder.resolve("trusted");
            Files.copy(JAVA.resolve("lib/security/cacerts"), trusted);
            keytool("-genkeypair", keys, "-keyalg", "EC", "-dname", "CN=localhost", "-ext", "san=ip:127.0.0.1");
            keytool("-exportcert", keys, "-file", certificate.toString());
            keytool("-importcert", trusted, "-file", certificate.toString(), "-noprompt");
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static void keytool(String command, Path store, String... more) throws IOException {
        List<String> line = new ArrayList<>(
                List.of(JAVA.resolve("bin/keytool").toString(), command, "-alias", "bench", "-keystore"));
        line.addAll(List.of(store.toString(), "-storepass", PASSWORD));
        line.addAll(List.of(more));
        Process keytool = new ProcessBuilder(line).redirectErrorStream(true).start();
        String said = new String(keytool.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        if (keytool.onExit().join().exitValue() != 0) {
            throw new IllegalStateException(said);
        }
    }

    /** The file of the server's key. */
    String keys() {
        return keys.toString();
    }

    /** The option of a JVM that trusts the certificate. */
    String trusting() {
        return "-Djavax.net.ssl.trustStore=" + trusted;
    }

    /** Reads the key of a file. */
    static KeyManagerFactory read(String file) throws IOException {
        try (InputStream in = Files.newInputStream(Path.of(file))) {
            KeyStore store = KeyStore.getInstance("PKCS12");
            store.load(in, PASSWORD.toCharArray());
            KeyManagerFactory read = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
            read.init(store, PASSWORD.toCharArray());
            return read;
        } catch (GeneralSecurityException e) {
            throw new IllegalStateException(e);
        }
    }

    @Override
    public void close() {
        try {
            for (Path made : List.of(keys, certificate, trusted, folder)) {
                Files.delete(made);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
