package run.caracal.internal.propagation;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.entry;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.util.AbstractList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import run.caracal.internal.text.Percent;

class BaggageTest {

    @Test
    void countsMembersAcrossRepeatedHeaders() {
        assertThat(isRead(Collections.nCopies(64, "k=v"))).isTrue();
        assertThat(isRead(Collections.nCopies(65, "k=v"))).isFalse();
        assertThat(isRead(List.of("a=1" + ",".repeat(31), "b=2" + ",".repeat(31))))
                .isTrue();
        assertThat(isRead(List.of("a=1" + ",".repeat(31), "b=2" + ",".repeat(32))))
                .isFalse();
    }

    @Test
    void countsCharactersAcrossRepeatedHeaders() {
        String half = "k=" + "v".repeat(4093);

        assertThat(isRead(List.of(half, half + "v"))).isTrue();
        assertThat(isRead(List.of(half, half + "vv"))).isFalse();
    }

    @Test
    void countsCodePoints() {
        assertThat(isRead(List.of("k=" + "\ud83d\ude00".repeat(8190)))).isTrue();
        assertThat(isRead(List.of("k=" + "\ud83d\ude00".repeat(8191)))).isFalse();
        assertThat(isRead(List.of("\ud83d\ude00".repeat(8192)))).isTrue();
        assertThat(isRead(List.of("\ud83d\ude00".repeat(8193)))).isFalse();
    }

    @Test
    void countsCodePointsInEachOfRepeatedHeaders() {
        String wide = "k=" + "\ud83d\ude00".repeat(4000);

        assertThat(isRead(List.of(wide, "v".repeat(4189)))).isTrue();
        assertThat(isRead(List.of(wide, "v".repeat(4190)))).isFalse();
    }

    @Test
    void aHugeHeaderCostsNoMoreThanTheLimit() {
        String members = "k=v,".repeat(2_500_000);
        String value = "k=" + "%41".repeat(3_500_000);
        List<String> huge = List.of(members);
        List<String> hugeValue = List.of(value);
        // The first call loads classes.
        assertThat(isRead(List.of("k=v"))).isTrue();
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();

        long before = threads.getCurrentThreadAllocatedBytes();
        boolean read = isRead(huge) || isRead(hugeValue);
        long allocated = threads.getCurrentThreadAllocatedBytes() - before;

        assertThat(read).isFalse();
        assertThat(allocated).isLessThan(64 * 1024);
    }

    @Test
    void stopsBeforeItLooksAtTooManyLines() {
        List<String> lines = new AbstractList<>() {
            @Override
            public String get(int index) {
                throw new AssertionError("line " + index + " was read");
            }

            @Override
            public int size() {
                return 10_000_000;
            }
        };

        assertThat(isRead(lines)).isFalse();
    }

    private static boolean isRead(List<String> lines) {
        return Baggage.parse(lines, (key, value) -> {});
    }

    @Test
    void readsOwnMembersAfterASemicolon() {
        assertThat(Baggage.parse(
                        "caracal.agent_session=as-1;caracal.delegation_edge=de-1; caracal.hop = 2 ,tenant=acme"))
                .containsExactly(
                        entry("caracal.agent_session", "as-1"),
                        entry("caracal.delegation_edge", "de-1"),
                        entry("caracal.hop", "2"),
                        entry("tenant", "acme"));
    }

    @Test
    void readsOwnMembersBehindOneThatIsNone() {
        assertThat(Baggage.parse("caracal.hop=4;x;caracal.parent_edge=p,tenant=acme"))
                .containsExactly(entry("caracal.hop", "4"), entry("caracal.parent_edge", "p"), entry("tenant", "acme"));
    }

    @ParameterizedTest
    @ValueSource(strings = {",a=1,b=2", "a=1,,b=2", "a=1,b=2,", ", a=1 ,=3, b=2"})
    void emptyMembersAreNone(String header) {
        assertThat(Baggage.parse(header)).containsExactly(entry("a", "1"), entry("b", "2"));
    }

    @ParameterizedTest
    @ValueSource(strings = {"tenant=acme;caracal.session=spoof", " tenant = acme ;caracal.session=spoof;caracal.hop=2"})
    void takesNothingFromThePropertiesOfOthers(String header) {
        assertThat(Baggage.parse(header)).containsExactly(entry("tenant", "acme"));
    }

    @Test
    void takesNoPropertiesForMembers() {
        assertThat(Baggage.parse("caracal.hop=4;ttl=9;x;;caracal.session;=1;caracal.parent_edge=p"))
                .containsExactly(entry("caracal.hop", "4"), entry("caracal.parent_edge", "p"));
    }

    // Writing

    @ParameterizedTest
    @ValueSource(
            strings = {
                "a=1,role",
                "a;caracal.session",
                "caracal.x;caracal.session",
                "a b",
                "a,b",
                "",
                "k\r\nX-Injected: 1",
                "k\u00e9",
                "\"k\""
            })
    void writesNoKeyThatIsNotAToken(String key) {
        assertThat(Baggage.encode(Map.of(key, "admin", "ok", "1"))).isEqualTo("ok=1");
    }

    @Test
    void aKeyHasTheCharactersOfATokenAlone() {
        StringBuilder characters = new StringBuilder();
        for (int c = 0; c <= Character.MAX_VALUE; c++) {
            if (Baggage.isToken(String.valueOf((char) c))) {
                characters.append((char) c);
            }
        }
        assertThat(characters)
                .hasToString("!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~");
    }

    @ParameterizedTest
    @ValueSource(strings = {"\ud83d", "\ud800", "\udbff", "\udc00", "\udfff"})
    void encodesALoneSurrogate(String surrogate) {
        assertThat(Baggage.encode(Map.of("k", surrogate))).isEqualTo("k=%EF%BF%BD");
    }

    @ParameterizedTest
    @ValueSource(ints = {0x7F, 0x80, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFF, 0x10000, 0x3FFFF, 0x40000, 0x10FFFF})
    void writesUtf8AtTheEdgesOfItsLengths(int codePoint) {
        String value = Character.toString(codePoint);
        StringBuilder expected = new StringBuilder("k=");
        for (byte octet : value.getBytes(StandardCharsets.UTF_8)) {
            expected.append(String.format("%%%02X", octet));
        }

        assertThat(Baggage.encode(Map.of("k", value))).hasToString(expected.toString());
        assertThat(Percent.decodeStrict(expected.substring(2))).isEqualTo(value);
    }

    @Test
    void replacesEachMaximalSubpart() {
        assertThat(Percent.decode("%ED%A0%80")).isEqualTo("\ufffd\ufffd\ufffd");
        assertThat(Percent.decode("%C0%80")).isEqualTo("\ufffd\ufffd");
        assertThat(Percent.decode("%E2%82\u00e9%")).isEqualTo("\ufffd\u00e9%");
        assertThat(Percent.decode("%C1%BF%C2%80")).isEqualTo("\ufffd\ufffd\u0080");
        assertThat(Percent.decode("%F4%90%80%80")).isEqualTo("\ufffd\ufffd\ufffd\ufffd");
        assertThat(Percent.decodeStrict("plain")).isEqualTo("plain");
        assertThat(Percent.decodeStrict("%ED%A0%80")).isNull();
        assertThat(Percent.decodeStrict("%zz%41\ufffd")).isEqualTo("%zzA\ufffd");
    }

    @Test
    void readsBackWhatItWrote() {
        Random random = new Random(42);
        for (int round = 0; round < 2_000; round++) {
            Map<String, String> members = new TreeMap<>();
            for (int i = random.nextInt(8); i > 0; i--) {
                members.put(randomKey(random), randomValue(random));
            }

            assertThat(Baggage.parse(Baggage.encode(members))).isEqualTo(members);
        }
    }

    @Test
    void readsAnythingWithoutThrowing() {
        Random random = new Random(43);
        String alphabet = "k=;,% \tcaracal.hop4A\u00e9\ud83d\ude00\u00a0\u0000";
        for (int round = 0; round < 20_000; round++) {
            StringBuilder header = new StringBuilder();
            for (int i = random.nextInt(60); i > 0; i--) {
                header.append(alphabet.charAt(random.nextInt(alphabet.length())));
            }
            Map<String, String> members = Baggage.parse(header.toString());

            assertThat(Baggage.parse(Baggage.encode(members)).keySet()).isSubsetOf(members.keySet());
        }
    }

    private static String randomKey(Random random) {
        String tokens = "abcXYZ019!#$%&'*+-.^_`|~";
        StringBuilder key = new StringBuilder();
        for (int i = 1 + random.nextInt(10); i > 0; i--) {
            key.append(tokens.charAt(random.nextInt(tokens.length())));
        }
        return key.toString();
    }

    private static String randomValue(Random random) {
        StringBuilder value = new StringBuilder();
        for (int i = 1 + random.nextInt(10); i > 0; i--) {
            int codePoint = random.nextInt(random.nextBoolean() ? 0x80 : Character.MAX_CODE_POINT + 1);
            value.appendCodePoint(codePoint >= 0xD800 && codePoint <= 0xDFFF ? ' ' : codePoint);
        }
        return value.toString();
    }
}
