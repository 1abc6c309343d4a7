package run.caracal.netty;

import io.netty.handler.ssl.SslContext;
import io.netty.handler.ssl.SslContextBuilder;
import java.util.List;
import javax.net.ssl.SSLException;
import okhttp3.tls.HandshakeCertificates;
import okhttp3.tls.HeldCertificate;

/** A certificate authority for one test. */
public final class Certificates {
    public final HeldCertificate authority =
            new HeldCertificate.Builder().certificateAuthority(0).build();
    public final HeldCertificate server = issue("localhost");

    public HeldCertificate issue(String name) {
        return new HeldCertificate.Builder()
                .commonName(name)
                .addSubjectAlternativeName(name)
                .signedBy(authority)
                .build();
    }

    public HandshakeCertificates forServer() {
        return new HandshakeCertificates.Builder()
                .heldCertificate(server)
                .addTrustedCertificate(authority.certificate())
                .build();
    }

    SslContext forClient(HeldCertificate client) {
        try {
            return SslContextBuilder.forClient()
                    .trustManager(authority.certificate())
                    .keyManager(client.keyPair().getPrivate(), List.of(client.certificate()))
                    .build();
        } catch (SSLException e) {
            throw new IllegalStateException(e);
        }
    }
}
