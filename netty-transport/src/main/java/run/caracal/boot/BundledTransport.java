package run.caracal.boot;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.util.concurrent.atomic.AtomicReference;
import javax.net.ssl.SSLException;
import org.springframework.boot.ssl.SslBundle;
import org.springframework.boot.ssl.SslBundles;
import org.springframework.boot.ssl.SslOptions;
import run.caracal.http.HttpTransport;
import run.caracal.netty.NettyHttpTransport;

/** Creates a transport with the keys and certificates of an SSL bundle, and follows its reloads. */
final class BundledTransport {
    private BundledTransport() {}

    static HttpTransport create(String name, SslBundles bundles) {
        AtomicReference<SslContext> current = new AtomicReference<>(context(name, bundles.getBundle(name)));
        bundles.addBundleUpdateHandler(name, updated -> current.set(context(name, updated)));
        return NettyHttpTransport.builder().sslContext(current::get).build();
    }

    private static SslContext context(String name, SslBundle bundle) {
        SslContextBuilder builder = SslContextBuilder.forClient()
                .keyManager(bundle.getManagers().getKeyManagerFactory())
                .trustManager(bundle.getManagers().getTrustManagerFactory());
        SslOptions options = bundle.getOptions();
        if (options.getEnabledProtocols() != null) {
            builder.protocols(options.getEnabledProtocols());
        }
        if (options.getCiphers() != null) {
            builder.ciphers(SslOptions.asSet(options.getCiphers()));
        }
        try {
            return builder.build();
        } catch (SSLException e) {
            throw new IllegalStateException("The SSL bundle " + name + " cannot be used", e);
        }
    }
}
