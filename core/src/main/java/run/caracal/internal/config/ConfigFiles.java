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
import java.util.Set;

/** Reads small files, on the calling thread. */
public final class ConfigFiles {
    /** The largest secret file that is read: 64 KiB. */
    public static final int MAX_SECRET_BYTES = 64 * 1024;

    private static final Set<PosixFilePermission> OWNER =
            Set.of(PosixFilePermission.OWNER_READ, PosixFilePermission.OWNER_WRITE, PosixFilePermission.OWNER_EXECUTE);
    private static final Set<PosixFilePermission> READ =
            Set.of(PosixFilePermission.GROUP_READ, PosixFilePermission.OTHERS_READ);
    private static final char BYTE_ORDER_MARK = 0xFEFF;

    private ConfigFiles() {}

    /** Reads a client secret: the content of the file without white space at its ends. */
    public static String readSecret(Path file, boolean groupReadable) throws Fault {
        String content = read(file, MAX_SECRET_BYTES);
        requirePrivate(file, groupReadable, "secret file " + file);
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

    /** Refuses a file that others than its owner have access to, where the file system knows of that. */
    static void requirePrivate(Path file, boolean groupReadable, String what) throws Fault {
        try {
            PosixFileAttributeView view = Files.getFileAttributeView(file, PosixFileAttributeView.class);
            if (view == null) {
                return;
            }
            boolean mayBeRead = groupReadable || Files.getFileStore(file).isReadOnly();
            if (!isPrivate(view.readAttributes().permissions(), mayBeRead)) {
                throw new Fault(what + " must be readable by its owner only: run chmod 600 " + file
                        + ". Where the deployment mounts it for a group or for all to read, as Docker secrets and an"
                        + " fsGroup of Kubernetes do, set " + Rules.ALLOW_GROUP_READABLE
                        + "=true or, in the profile, allow_group_readable_secrets = true; in code, use"
                        + " ClientSecretResolver.groupReadableFile");
            }
        } catch (IOException e) {
            throw new Fault("the permissions of " + file + " cannot be read (" + reason(e) + ")");
        }
    }

    /**
     * Whether none but the owner has access, or, where that is allowed, none but the owner more than to read. A mount that
     * is read-only allows it by itself: it is made by the runtime of a container, with modes of its own.
     */
    static boolean isPrivate(Set<PosixFilePermission> permissions, boolean mayBeRead) {
        return permissions.stream()
                .allMatch(permission -> OWNER.contains(permission) || (mayBeRead && READ.contains(permission)));
    }

    /** Reads a whole file as UTF-8 text without its byte order mark, if it is no larger than that. */
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
            String text = StandardCharsets.UTF_8
                    .newDecoder()
                    .decode(ByteBuffer.wrap(bytes))
                    .toString();
            return !text.isEmpty() && text.charAt(0) == BYTE_ORDER_MARK ? text.substring(1) : text;
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
