package run.caracal.internal.text;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

/** The platform's idea of white space is Python's: more than Java's, and some control characters too. */
class CharsTest {
    private static final String BLANKS = "\t\n\u000b\f\r\u001c\u001d\u001e\u001f \u0085\u00a0\u1680\u2000\u2001\u2002"
            + "\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000";

    @Test
    void knowsEveryBlankAndNothingElse() {
        StringBuilder blanks = new StringBuilder();
        for (int c = 0; c <= Character.MAX_VALUE; c++) {
            if (Chars.isBlank((char) c)) {
                blanks.append((char) c);
            }
        }
        assertThat(blanks).hasToString(BLANKS);
    }

    @Test
    void aTextThatHoldsABlankOrAControlCharacterIsNoToken() {
        for (int c = 0; c <= Character.MAX_VALUE; c++) {
            boolean control = Character.isISOControl((char) c);
            assertThat(Chars.hasBlankOrControl("a" + (char) c))
                    .as("%x", c)
                    .isEqualTo(control || BLANKS.indexOf(c) >= 0);
        }
        assertThat(Chars.hasBlankOrControl("\u007fa")).isTrue();
        assertThat(Chars.hasBlankOrControl("")).isFalse();
    }

    @Test
    void aHeaderCarriesNoControlCharacterOfAsciiButATab() {
        for (int c = 0; c < 0x100; c++) {
            boolean control = Character.isISOControl((char) c) && c < 0x80 && c != '\t';
            assertThat(Chars.hasControl("a" + (char) c + "b")).as("%x", c).isEqualTo(control);
        }
    }
}
