package run.caracal.internal.wire;

import java.time.DateTimeException;
import java.time.Instant;
import java.time.LocalDateTime;
import java.time.ZoneOffset;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Dates in HTTP headers: the three forms of RFC 9110, with the leniency of mail dates. */
public final class HttpDates {
    private static final int MAX_LENGTH = 64;
    private static final String TIME = "([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?";

    /** {@code Thu, 01 Jan 2026 00:00:00 GMT} and {@code Thursday, 01-Jan-26 00:00:00 GMT}; the weekday decides nothing. */
    private static final Pattern MAIL = Pattern.compile("(?:[a-z]{3,9},?\\s*)?([0-9]{1,2})[ -]\\s*([a-z]{3,9})[ -]\\s*"
            + "([0-9]{4}|[0-9]{2})\\s+" + TIME + "(?:\\s+([a-z]{1,5}|[+-][0-9]{4}))?");

    /** {@code Thu Jan  1 00:00:00 2026}. */
    private static final Pattern C =
            Pattern.compile("[a-z]{3,9}\\s+([a-z]{3,9})\\s+([0-9]{1,2})\\s+" + TIME + "\\s+([0-9]{4})");

    private static final List<String> MONTHS =
            List.of("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec");

    /** The zones of RFC 5322, in hours; any other name counts as UTC, as that RFC says. */
    private static final Map<String, Integer> ZONES = Map.of(
            "ast", -4, "adt", -3, "est", -5, "edt", -4, "cst", -6, "cdt", -5, "mst", -7, "mdt", -6, "pst", -8, "pdt",
            -7);

    private HttpDates() {}

    /** Reads a date. */
    public static @Nullable Instant parse(@Nullable String header) {
        if (header == null || header.length() > MAX_LENGTH) {
            return null;
        }
        String text = header.strip().toLowerCase(Locale.ROOT);
        Matcher mail = MAIL.matcher(text);
        if (mail.matches()) {
            return instant(
                    mail.group(3),
                    mail.group(2),
                    mail.group(1),
                    mail.group(4),
                    mail.group(5),
                    mail.group(6),
                    mail.group(7));
        }
        Matcher c = C.matcher(text);
        if (c.matches()) {
            return instant(c.group(6), c.group(1), c.group(2), c.group(3), c.group(4), c.group(5), null);
        }
        return null;
    }

    private static @Nullable Instant instant(
            String year,
            String month,
            String day,
            String hour,
            String minute,
            @Nullable String second,
            @Nullable String zone) {
        int monthIndex = MONTHS.indexOf(month.substring(0, 3));
        if (monthIndex < 0) {
            return null;
        }
        try {
            return LocalDateTime.of(
                            fullYear(year),
                            monthIndex + 1,
                            Integer.parseInt(day),
                            Integer.parseInt(hour),
                            Integer.parseInt(minute),
                            second == null ? 0 : Integer.parseInt(second))
                    .toInstant(ZoneOffset.UTC)
                    .minusSeconds(offset(zone));
        } catch (DateTimeException e) {
            return null;
        }
    }

    private static int fullYear(String year) {
        int number = Integer.parseInt(year);
        if (year.length() == 4) {
            return number;
        }
        return number < 69 ? 2000 + number : 1900 + number;
    }

    private static int offset(@Nullable String zone) {
        if (zone == null) {
            return 0;
        }
        if (zone.charAt(0) != '+' && zone.charAt(0) != '-') {
            return ZONES.getOrDefault(zone, 0) * 3600;
        }
        int hours = Integer.parseInt(zone.substring(1, 3));
        int minutes = Integer.parseInt(zone.substring(3));
        if (hours > 23 || minutes > 59) {
            throw new DateTimeException("zone out of range");
        }
        int seconds = hours * 3600 + minutes * 60;
        return zone.charAt(0) == '-' ? -seconds : seconds;
    }
}
