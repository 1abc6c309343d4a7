package run.caracal.verify;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.verify.VerifierFixture.claims;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import reactor.core.publisher.Mono;
import reactor.core.publisher.Signal;
import run.caracal.error.InboundException;
import run.caracal.error.InboundException.Reason;
import run.caracal.http.HttpResponse;
import run.caracal.internal.json.Json;
import run.caracal.test.TestZone;

/**
 * Randomly changed tokens never verify, and fail only with a refusal. A failure names its seed; {@code -Dfuzz.seed}
 * repeats it.
 */
class MandateFuzzTest {
    private static final MandateRequirements NOTHING_MORE = MandateRequirements.defaults();

    private final long seed = Long.getLong("fuzz.seed", System.nanoTime());
    private final Random random = new Random(seed);
    private final VerifierFixture fixture = new VerifierFixture();
    private final TestZone zone = fixture.zone;
    private final TestZone forger = new TestZone("kid-1");
    private final JwksMandateVerifier verifier = fixture.builder().build();

    /** The reason of the refusal, {@code null} if the token verifies; any other error fails the test. */
    private @Nullable Reason outcome(String token) {
        Signal<VerifiedMandate> signal = Objects.requireNonNull(
                verifier.verify(token, NOTHING_MORE).materialize().block(VerifierFixture.LIMIT));
        if (!signal.isOnError()) {
            assertThat(signal.hasValue()).as("seed %d, token %s", seed, token).isTrue();
            return null;
        }
        assertThat(signal.getThrowable()).as("seed %d, token %s", seed, token).isInstanceOf(InboundException.class);
        Reason reason = ((InboundException) Objects.requireNonNull(signal.getThrowable())).reason();
        assertThat(reason).as("seed %d, token %s", seed, token).isNotEqualTo(Reason.VERIFIER_UNAVAILABLE);
        return reason;
    }

    private void isNotLetIn(String token) {
        assertThat(outcome(token)).as("seed %d lets in %s", seed, token).isNotNull();
    }

    @Test
    void changedTokensNeverVerify() {
        String valid = zone.sign(claims());
        assertThat(outcome(valid)).isNull();
        for (int i = 0; i < 1000; i++) {
            String changed = changed(valid);
            if (!changed.equals(valid)) {
                isNotLetIn(changed);
            }
        }
        assertThat(zone.fetches()).as("seed %d", seed).isEqualTo(1);
    }

    private String changed(String token) {
        StringBuilder text = new StringBuilder(token);
        int at = random.nextInt(token.length());
        String[] parts = token.split("\\.", -1);
        switch (random.nextInt(8)) {
            case 0 -> text.setCharAt(at, (char) (text.charAt(at) ^ (1 << random.nextInt(16))));
            case 1 -> text.setLength(at);
            case 2 -> text.deleteCharAt(at);
            case 3 -> text.insert(at, (char) random.nextInt(0x250));
            case 4 -> {
                int other = random.nextInt(token.length());
                char c = text.charAt(at);
                text.setCharAt(at, text.charAt(other));
                text.setCharAt(other, c);
            }
            case 5 -> {
                String joined =
                        parts[random.nextInt(3)] + "." + parts[random.nextInt(3)] + "." + parts[random.nextInt(3)];
                text = new StringBuilder(joined);
            }
            case 6 -> text.append(random.nextBoolean() ? "." : "").append(parts[random.nextInt(3)]);
            default -> text.replace(at, Math.min(token.length(), at + random.nextInt(20)), "");
        }
        return text.toString();
    }

    /** Any header and any claims, with the signature of a foreign key. */
    @Test
    void whatAnotherKeySignsNeverVerifies() {
        for (int i = 0; i < 300; i++) {
            Map<String, @Nullable Object> header = random.nextBoolean() ? zone.header() : mutated(zone.header());
            Map<String, @Nullable Object> body = random.nextBoolean() ? claims() : mutated(claims());
            isNotLetIn(forger.sign(header, Json.write("claims", body)));
        }
        assertThat(zone.fetches()).as("seed %d", seed).isLessThanOrEqualTo(1);
    }

    /** The zone itself signs nonsense: it is let in or refused, but the verifier does not stumble. */
    @Test
    void whateverTheZoneSignsIsReadWithoutStumbling() {
        for (int i = 0; i < 500; i++) {
            Map<String, @Nullable Object> body = mutated(claims());
            Reason unused = outcome(zone.sign(body));
        }
    }

    private Map<String, @Nullable Object> mutated(Map<String, @Nullable Object> object) {
        Map<String, @Nullable Object> copy = new LinkedHashMap<>(object);
        List<String> names = List.copyOf(object.keySet());
        for (int i = random.nextInt(3); i >= 0; i--) {
            String name = names.get(random.nextInt(names.size()));
            if (random.nextInt(5) == 0) {
                copy.remove(name);
            } else {
                copy.put(name, value(0));
            }
        }
        return copy;
    }

    private @Nullable Object value(int depth) {
        return switch (random.nextInt(depth > 4 ? 8 : 10)) {
            case 0 -> null;
            case 1 -> random.nextBoolean();
            case 2 -> random.nextLong();
            case 3 -> random.nextInt(20);
            case 4 -> random.nextDouble() * Math.pow(10, random.nextInt(300));
            case 5 -> new BigInteger(200, random);
            case 6 -> "";
            case 7 -> text(random.nextInt(30), 0x3000);
            case 8 -> {
                List<@Nullable Object> list = new ArrayList<>();
                for (int i = random.nextInt(4); i > 0; i--) {
                    list.add(value(depth + 1));
                }
                yield list;
            }
            default -> {
                Map<String, @Nullable Object> map = new LinkedHashMap<>();
                for (int i = random.nextInt(4); i > 0; i--) {
                    map.put(random.nextBoolean() ? "application_id" : text(3, 128), value(depth + 1));
                }
                yield map;
            }
        };
    }

    private String text(int length, int alphabet) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < length; i++) {
            out.append((char) random.nextInt(alphabet));
        }
        return out.toString();
    }

    @Test
    void randomTextIsRefused() {
        for (int i = 0; i < 3000; i++) {
            isNotLetIn(text(random.nextInt(200), i % 2 == 0 ? 128 : 0x10000));
        }
        for (int i = 0; i < 20; i++) {
            isNotLetIn(text(random.nextInt(20_000), 128));
        }
        assertThat(zone.fetches()).isZero();
    }

    @Test
    void randomBytesInTheFormOfATokenAreRefused() {
        byte[] header = Json.write("header", zone.header());
        for (int i = 0; i < 500; i++) {
            byte[] bytes = new byte[random.nextInt(200)];
            random.nextBytes(bytes);
            isNotLetIn(forger.sign(bytes, bytes));
            isNotLetIn(TestZone.base64(header) + "." + TestZone.base64(bytes) + "." + "A".repeat(86));
        }
    }

    /** The keys come over the network: nonsense in their place is an outage, and nothing worse. */
    @Test
    void randomKeysLetNothingIn() {
        String token = zone.sign(claims());
        for (int i = 0; i < 300; i++) {
            TestZone fresh = new TestZone("other");
            JwksMandateVerifier victim = fixture.builder().transport(fresh).build();
            byte[] answer;
            if (i % 2 == 0) {
                answer = new byte[random.nextInt(300)];
                random.nextBytes(answer);
            } else {
                answer = Json.write("keys", Map.of("keys", List.of(withoutKey(mutated(zone.jwk())))));
            }
            fresh.script(real -> Mono.just(new HttpResponse(200, Map.of(), answer)));
            InboundException unused = VerifierFixture.refused(Reason.VERIFIER_UNAVAILABLE, victim, token, NOTHING_MORE);
        }
    }

    /** Never the zone's own key: the first character of its y is changed, unless the mutation left no y. */
    private Map<String, @Nullable Object> withoutKey(Map<String, @Nullable Object> jwk) {
        Map<String, @Nullable Object> changed = new LinkedHashMap<>(jwk);
        if (jwk.get("y") instanceof String y && !y.isEmpty()) {
            changed.put("y", (y.charAt(0) == 'A' ? 'B' : 'A') + y.substring(1));
        }
        return changed;
    }
}
