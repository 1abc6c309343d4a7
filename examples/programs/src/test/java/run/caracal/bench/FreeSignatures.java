package run.caracal.bench;

import java.security.GeneralSecurityException;
import java.security.Key;
import java.security.KeyFactory;
import java.security.KeyFactorySpi;
import java.security.PrivateKey;
import java.security.Provider;
import java.security.PublicKey;
import java.security.SignatureSpi;
import java.security.spec.InvalidKeySpecException;
import java.security.spec.KeySpec;
import java.util.List;
import java.util.Map;

/** A provider whose signatures cost nothing and prove nothing, which leaves the rest of a verification to be measured. */
final class FreeSignatures extends Provider {
    private static final long serialVersionUID = 1L;

    FreeSignatures() {
        super("FreeSignatures", "1", "for measurements");
        putService(new Service(this, "KeyFactory", "EC", Keys.class.getName(), List.of(), Map.of()));
        putService(new Service(this, "Signature", "SHA256withECDSA", Accepting.class.getName(), List.of(), Map.of()));
    }

    /** Accepts the signature of everything but the single byte with which a verifier tries its provider. */
    public static final class Accepting extends SignatureSpi {
        private int length;

        /** For the provider. */
        public Accepting() {}

        @Override
        protected void engineInitVerify(PublicKey key) {
            length = 0;
        }

        @Override
        protected void engineUpdate(byte b) {
            length++;
        }

        @Override
        protected void engineUpdate(byte[] bytes, int offset, int count) {
            length += count;
        }

        @Override
        protected boolean engineVerify(byte[] signature) {
            return length > 1;
        }

        @Override
        protected void engineInitSign(PrivateKey key) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected byte[] engineSign() {
            throw new UnsupportedOperationException();
        }

        @Override
        @Deprecated
        protected void engineSetParameter(String name, Object value) {
            throw new UnsupportedOperationException();
        }

        @Override
        @Deprecated
        protected Object engineGetParameter(String name) {
            throw new UnsupportedOperationException();
        }
    }

    /** The keys of the JDK. */
    public static final class Keys extends KeyFactorySpi {

        /** For the provider. */
        public Keys() {}

        @Override
        protected PublicKey engineGeneratePublic(KeySpec spec) throws InvalidKeySpecException {
            try {
                return KeyFactory.getInstance("EC").generatePublic(spec);
            } catch (InvalidKeySpecException e) {
                throw e;
            } catch (GeneralSecurityException e) {
                throw new IllegalStateException(e);
            }
        }

        @Override
        protected PrivateKey engineGeneratePrivate(KeySpec spec) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected <T extends KeySpec> T engineGetKeySpec(Key key, Class<T> spec) {
            throw new UnsupportedOperationException();
        }

        @Override
        protected Key engineTranslateKey(Key key) {
            throw new UnsupportedOperationException();
        }
    }
}
