package run.caracal.boot;

import org.jspecify.annotations.Nullable;
import org.springframework.aot.hint.MemberCategory;
import org.springframework.aot.hint.RuntimeHints;
import org.springframework.aot.hint.RuntimeHintsRegistrar;
import org.springframework.aot.hint.TypeReference;
import run.caracal.http.HttpTransportProvider;

/** Hints for native images, in which the transport is found through its service provider. */
final class CaracalRuntimeHints implements RuntimeHintsRegistrar {

    @Override
    public void registerHints(RuntimeHints hints, @Nullable ClassLoader classLoader) {
        hints.resources().registerPattern("META-INF/services/" + HttpTransportProvider.class.getName());
        hints.reflection()
                .registerType(
                        TypeReference.of("run.caracal.netty.internal.provider.NettyHttpTransportProvider"),
                        MemberCategory.INVOKE_PUBLIC_CONSTRUCTORS);
    }
}
