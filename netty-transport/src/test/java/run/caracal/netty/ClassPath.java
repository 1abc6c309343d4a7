package run.caracal.netty;

import java.io.File;
import java.net.MalformedURLException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.function.Predicate;

/** The class path of the tests without some libraries, as an application may have it. */
public final class ClassPath {
    private ClassPath() {}

    /** A class loader that shares no classes with the tests, and lacks these jars. */
    public static URLClassLoader without(Predicate<String> jar) {
        URL[] urls = Arrays.stream(System.getProperty("java.class.path").split(File.pathSeparator))
                .filter(it -> !jar.test(Path.of(it).getFileName().toString()))
                .map(ClassPath::url)
                .toArray(URL[]::new);
        return new URLClassLoader(urls, ClassLoader.getPlatformClassLoader());
    }

    private static URL url(String path) {
        try {
            return Path.of(path).toUri().toURL();
        } catch (MalformedURLException e) {
            throw new IllegalStateException(e);
        }
    }
}
