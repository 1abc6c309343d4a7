package run.caracal.internal.config;

import java.nio.file.Files;
import java.nio.file.Path;
import org.tomlj.Toml;
import org.tomlj.TomlParseError;
import org.tomlj.TomlParseOptions;
import org.tomlj.TomlParseResult;
import org.tomlj.TomlTable;

/** Reads a profile. */
public final class ProfileFile {
    /** The largest profile that is read: 64 KiB. */
    public static final int MAX_BYTES = 64 * 1024;

    /** How deep tables and arrays of a profile may nest; the parser stops there. */
    public static final int MAX_DEPTH = 16;

    private static final TomlParseOptions OPTIONS =
            TomlParseOptions.sourceless().withMaxNestingDepth(MAX_DEPTH);

    private ProfileFile() {}

    static TomlTable read(Path file) throws Fault {
        if (!Files.exists(file)) {
            throw new Fault(
                    "does not exist: create a zone and an application in the Console, and write the profile with"
                            + " their ids");
        }
        TomlParseResult result = Toml.parse(ConfigFiles.read(file, MAX_BYTES), OPTIONS);
        if (!result.errors().isEmpty()) {
            // The parser's own message quotes the content, which may be a secret without its quotes.
            TomlParseError first = result.errors().get(0);
            throw new Fault("is not valid TOML, or nests deeper than " + MAX_DEPTH + " levels, at line "
                    + first.position().line() + ", column " + first.position().column());
        }
        return result;
    }
}
