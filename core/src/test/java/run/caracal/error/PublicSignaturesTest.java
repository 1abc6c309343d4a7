package run.caracal.error;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.lang.reflect.Constructor;
import java.lang.reflect.Field;
import java.lang.reflect.GenericDeclaration;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Type;
import java.net.URI;
import java.net.URISyntaxException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import run.caracal.http.HttpRequest;

/** An application sees neither the JSON and TOML parsers, nor an HTTP client, nor internal types. */
class PublicSignaturesTest {
    private static final List<String> PACKAGES =
            List.of("run/caracal", "run/caracal/config", "run/caracal/http", "run/caracal/error", "run/caracal/verify");
    private static final List<String> HIDDEN = List.of(
            "tools.jackson",
            "com.nimbusds",
            "com.fasterxml",
            "org.tomlj",
            "io.netty",
            "reactor.netty",
            "run.caracal.internal");

    @Test
    void showNoTypeOfALibraryInside() throws Exception {
        List<Class<?>> types = publicTypes();
        assertThat(types).contains(HttpRequest.class, StsException.AccessDenied.class);
        List<String> leaks = new ArrayList<>();
        for (Class<?> type : types) {
            for (String signature : signatures(type)) {
                if (HIDDEN.stream().anyMatch(signature::contains)) {
                    leaks.add(type.getName() + ": " + signature);
                }
            }
        }
        assertThat(leaks).isEmpty();
    }

    private static List<Class<?>> publicTypes() throws IOException, URISyntaxException, ClassNotFoundException {
        URI location = HttpRequest.class
                .getProtectionDomain()
                .getCodeSource()
                .getLocation()
                .toURI();
        Path root = Path.of(location);
        List<Class<?>> types = new ArrayList<>();
        for (String folder : PACKAGES) {
            if (!Files.isDirectory(root.resolve(folder))) {
                continue;
            }
            List<Path> files;
            try (Stream<Path> listing = Files.list(root.resolve(folder))) {
                files = listing.filter(f -> f.toString().endsWith(".class")).toList();
            }
            for (Path file : files) {
                String name = String.valueOf(file.getFileName()).replace(".class", "");
                Class<?> type = Class.forName(
                        folder.replace('/', '.') + "." + name, false, PublicSignaturesTest.class.getClassLoader());
                if (isVisible(type)) {
                    types.add(type);
                }
            }
        }
        return types;
    }

    private static boolean isVisible(Class<?> type) {
        for (Class<?> c = type; c != null; c = c.getEnclosingClass()) {
            if (!isVisible(c.getModifiers())) {
                return false;
            }
        }
        return !type.isSynthetic() && !type.isAnonymousClass();
    }

    private static boolean isVisible(int modifiers) {
        return Modifier.isPublic(modifiers) || Modifier.isProtected(modifiers);
    }

    private static List<String> signatures(Class<?> type) {
        List<String> out = new ArrayList<>();
        add(out, type.getGenericSuperclass());
        add(out, type.getGenericInterfaces());
        addBounds(out, type);
        for (Field field : type.getDeclaredFields()) {
            if (isVisible(field.getModifiers())) {
                add(out, field.getGenericType());
            }
        }
        for (Constructor<?> constructor : type.getDeclaredConstructors()) {
            if (isVisible(constructor.getModifiers()) && !constructor.isSynthetic()) {
                add(out, constructor.getGenericParameterTypes());
                add(out, constructor.getGenericExceptionTypes());
            }
        }
        for (Method method : type.getDeclaredMethods()) {
            if (isVisible(method.getModifiers()) && !method.isSynthetic()) {
                add(out, method.getGenericReturnType());
                add(out, method.getGenericParameterTypes());
                add(out, method.getGenericExceptionTypes());
                addBounds(out, method);
            }
        }
        return out;
    }

    private static void addBounds(List<String> out, GenericDeclaration declaration) {
        Arrays.stream(declaration.getTypeParameters()).forEach(parameter -> add(out, parameter.getBounds()));
    }

    private static void add(List<String> out, Type... types) {
        for (Type type : types) {
            if (type != null) {
                out.add(type.getTypeName());
            }
        }
    }
}
