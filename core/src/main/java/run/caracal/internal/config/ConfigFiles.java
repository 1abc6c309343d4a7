package run.caracal.internal.config;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.attribute.PosixFileAttributeView;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.Set;

/** Reads small files, on the calling thread. */
public final class ConfigFiles {
    /** The largest secret file that is read: 64 KiB. */
    public static final int MAX_SECRET_BYTES = 64 * 1024;

    private static final Set<PosixFilePermission> OTHERS = Set.of(
            PosixFilePermission.GROUP_READ,
            PosixFilePermission.GROUP_WRITE,
            PosixFilePermission.GROUP_EXECUTE,
            PosixFilePermission.OTHERS_READ,
            PosixFilePermission.OTHERS_WRITE,
            PosixFilePermission.OTHERS_EXECUTE);

    private ConfigFiles() {}

    /**
     * Reads a client secret: the content of the file without white space at its ends.
     *
     * @throws Fault naming the file and the remedy
     */
    public static String readSecret(Path file) throws Fault {
        String content = read(file, MAX_SECRET_BYTES);
        requireOwnerOnly(file, "secret file " + file);
        String secret = Text.strip(content);
        if (secret.isEmpty()) {
            throw new Fault("secret file " + file + " is empty: write the client secret into it");
        }
        String fault = Rules.clientSecret(secret);
        if (fault != null) {
            throw new Fault("the content of secret file " + file + ' ' + fault);
        }
        return secret;
    }

    /** Refuses a file that others than its owner have any access to, where the file system knows of that. */
    static void requireOwnerOnly(Path file, String what) throws Fault {
        try {
            PosixFileAttributeView view = Files.getFileAttributeView(file, PosixFileAttributeView.class);
            if (view == null) {
                return;
            }
            Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
            permissions.addAll(view.readAttributes().permissions());
            permissions.retainAll(OTHERS);
            if (!permissions.isEmpty()) {
                throw new Fault(what + " must be readable by its owner only: run chmod 600 " + file
                        + ", or, where the deployment cannot do that, give CaracalConfig.builder() a"
                        + " ClientSecretResolver");
            }
        } catch (IOException e) {
            throw new Fault("the permissions of " + file + " cannot be read (" + reason(e) + ")");
        }
    }

    /** Reads a whole file as UTF-8 text, if it is no larger than that. */
    static String read(Path file, int maxBytes) throws Fault {
        if (Files.isDirectory(file)) {
            throw new Fault(file + " is a directory: name a file");
        }
        if (Files.exists(file) && !Files.isRegularFile(file)) {
            throw new Fault(file + " is not a regular file: name one");
        }
        byte[] bytes;
        try (InputStream in = Files.newInputStream(file)) {
            bytes = in.readNBytes(maxBytes + 1);
        } catch (IOException e) {
            throw new Fault(file + " cannot be read (" + reason(e) + ')');
        }
        if (bytes.length > maxBytes) {
            throw new Fault(file + " is larger than " + maxBytes + " bytes: is it the right file?");
        }
        try {
            return StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
        } catch (CharacterCodingException e) {
            throw new Fault(file + " is not UTF-8 text: save it as UTF-8");
        }
    }

    private static String reason(IOException e) {
        if (e instanceof NoSuchFileException) {
            return "it does not exist";
        }
        if (e instanceof AccessDeniedException) {
            return "this process may not read it";
        }
        return e.getClass().getSimpleName();
    }
}
