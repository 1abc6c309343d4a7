package run.caracal.bench;

import java.util.Arrays;
import java.util.Locale;

/**
 * The median of the rounds and the quartiles around it.
 *
 * @param median the median
 * @param low the lower quartile
 * @param high the upper quartile
 */
record Stat(double median, double low, double high) {

    static Stat of(double... values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int n = sorted.length;
        double median = n % 2 == 1 ? sorted[n / 2] : (sorted[n / 2 - 1] + sorted[n / 2]) / 2;
        return new Stat(median, sorted[n / 4], sorted[n - 1 - n / 4]);
    }

    /** The statistics of each round's ratio of two variants. */
    static Stat ratio(double[] of, double[] to) {
        double[] ratios = new double[of.length];
        for (int i = 0; i < ratios.length; i++) {
            ratios[i] = of[i] / to[i];
        }
        return of(ratios);
    }

    /** The median with its quartiles, as in a table. */
    String text() {
        return number(median) + " (" + number(low) + " to " + number(high) + ")";
    }

    /** A number with a sensible count of digits. */
    static String number(double value) {
        double size = Math.abs(value);
        return String.format(Locale.ROOT, size >= 100 ? "%,.0f" : size >= 10 ? "%.1f" : "%.3f", value);
    }
}
