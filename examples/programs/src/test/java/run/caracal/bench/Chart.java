package run.caracal.bench;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** A picture of figures, drawn as SVG. */
abstract class Chart {
    private static final int WIDTH = 900;
    private static final int LABELS = 380;
    private static final String[] COLOURS = {"#1f6feb", "#d97706", "#15803d", "#9333ea", "#be123c", "#0e7490"};
    private static final Pattern HEIGHT = Pattern.compile("height=\"(\\d+)\"");

    final String title;

    Chart(String title) {
        this.title = title;
    }

    abstract int height();

    abstract void draw(StringBuilder out, int top);

    /** The same figures as a markdown table. */
    abstract String table();

    /** Ratios as bars from zero, with their quartiles and budgets. */
    static final class Bars extends Chart {
        private record Bar(String label, Stat figure, double budget, boolean holds) {}

        private final List<Bar> bars = new ArrayList<>();

        Bars(String title) {
            super(title);
        }

        void add(String label, Stat figure, double budget, boolean holds) {
            bars.add(new Bar(label, figure, budget, holds));
        }

        boolean isEmpty() {
            return bars.isEmpty();
        }

        @Override
        int height() {
            return 40 + 24 * bars.size();
        }

        @Override
        void draw(StringBuilder out, int top) {
            double most = 1.0;
            for (Bar bar : bars) {
                most = Math.max(most, Math.max(bar.figure().high(), Double.isNaN(bar.budget()) ? 0 : bar.budget()));
            }
            // A bar that is many times the others would hide them: it is cut and its number says the rest.
            double scale = (WIDTH - LABELS - 110) / Math.min(most, 3.0);
            text(out, 10, top + 20, "start", title, true);
            int y = top + 32;
            for (Bar bar : bars) {
                double end = LABELS + Math.min(bar.figure().median(), 3.0) * scale;
                text(out, LABELS - 8, y + 14, "end", bar.label(), false);
                rectangle(out, LABELS, y + 3, end - LABELS, 14, bar.holds() ? COLOURS[0] : COLOURS[4]);
                line(
                        out,
                        LABELS + Math.min(bar.figure().low(), 3.0) * scale,
                        y + 10,
                        LABELS + Math.min(bar.figure().high(), 3.0) * scale,
                        y + 10,
                        "#111827");
                if (!Double.isNaN(bar.budget())) {
                    double at = LABELS + bar.budget() * scale;
                    line(out, at, y, at, y + 20, "#111827");
                }
                text(
                        out,
                        Math.max(end, LABELS + Math.min(bar.figure().high(), 3.0) * scale) + 6,
                        y + 14,
                        "start",
                        Stat.number(bar.figure().median()),
                        false);
                y += 24;
            }
        }

        @Override
        String table() {
            return "";
        }
    }

    /** Lines on logarithmic axes: a straight line of slope one is linear growth, a level one is constant. */
    static final class Lines extends Chart {
        private static final int PLOT = 230;

        private final String x;
        private final String y;
        private final Map<String, Map<Double, Double>> series = new LinkedHashMap<>();

        Lines(String title, String x, String y) {
            super(title);
            this.x = x;
            this.y = y;
        }

        void point(String line, double at, double value) {
            series.computeIfAbsent(line, l -> new LinkedHashMap<>()).put(at, value);
        }

        double value(String line, double at) {
            Double value = series.getOrDefault(line, Map.of()).get(at);
            return value == null ? Double.NaN : value;
        }

        @Override
        int height() {
            return PLOT + 90;
        }

        @Override
        void draw(StringBuilder out, int top) {
            double[] across = range(true);
            double[] up = range(false);
            int left = 80;
            int right = WIDTH - 260;
            int bottom = top + 36 + PLOT;
            text(out, 10, top + 20, "start", title, true);
            line(out, left, top + 36, left, bottom, "#6b7280");
            line(out, left, bottom, right, bottom, "#6b7280");
            for (double decade = up[0]; decade <= up[1]; decade++) {
                double at = bottom - (decade - up[0]) / (up[1] - up[0]) * PLOT;
                line(out, left, at, right, at, "#e5e7eb");
                text(out, left - 6, at + 4, "end", short10(decade), false);
            }
            for (double decade = across[0]; decade <= across[1]; decade++) {
                double at = left + (decade - across[0]) / (across[1] - across[0]) * (right - left);
                text(out, at, bottom + 16, "middle", short10(decade), false);
            }
            text(
                    out,
                    (left + right) / 2.0,
                    bottom + 34,
                    "middle",
                    x + " (each side logarithmic; upwards: " + y + ")",
                    false);
            int index = 0;
            for (Map.Entry<String, Map<Double, Double>> entry : series.entrySet()) {
                String colour = COLOURS[index % COLOURS.length];
                StringBuilder points = new StringBuilder();
                for (Map.Entry<Double, Double> point : entry.getValue().entrySet()) {
                    double px = left
                            + (Math.log10(Math.max(1, point.getKey())) - across[0])
                                    / (across[1] - across[0])
                                    * (right - left);
                    double py = bottom - (Math.log10(point.getValue()) - up[0]) / (up[1] - up[0]) * PLOT;
                    points.append(number(px)).append(',').append(number(py)).append(' ');
                    out.append("<circle cx=\"")
                            .append(number(px))
                            .append("\" cy=\"")
                            .append(number(py))
                            .append("\" r=\"3\" fill=\"")
                            .append(colour)
                            .append("\"/>\n");
                }
                out.append("<polyline fill=\"none\" stroke=\"")
                        .append(colour)
                        .append("\" stroke-width=\"2\" points=\"")
                        .append(points.toString().strip())
                        .append("\"/>\n");
                rectangle(out, right + 12, top + 40 + 20 * index, 12, 12, colour);
                text(out, right + 30, top + 51 + 20 * index, "start", entry.getKey(), false);
                index++;
            }
        }

        private double[] range(boolean across) {
            double low = Double.MAX_VALUE;
            double high = -Double.MAX_VALUE;
            for (Map<Double, Double> line : series.values()) {
                for (double value : across ? line.keySet() : line.values()) {
                    double log = Math.log10(across ? Math.max(1, value) : value);
                    low = Math.min(low, Math.floor(log));
                    high = Math.max(high, Math.ceil(log));
                }
            }
            return new double[] {low, Math.max(high, low + 1)};
        }

        private static String short10(double decade) {
            double value = Math.pow(10, decade);
            return value >= 1e6 ? number(value / 1e6) + "M" : value >= 1e3 ? number(value / 1e3) + "k" : number(value);
        }

        @Override
        String table() {
            TreeSet<Double> columns = new TreeSet<>();
            series.values().forEach(line -> columns.addAll(line.keySet()));
            StringBuilder text = new StringBuilder("**" + title + "** (" + y + ")\n\n| " + x + " |");
            columns.forEach(column -> text.append(' ')
                    .append(String.format(Locale.ROOT, "%,.0f", column))
                    .append(" |"));
            text.append("\n| --- |").append(" --- |".repeat(columns.size())).append('\n');
            series.forEach((line, points) -> {
                text.append("| ").append(line).append(" |");
                for (double column : columns) {
                    Double value = points.get(column);
                    text.append(' ')
                            .append(value == null ? "" : Stat.number(value))
                            .append(" |");
                }
                text.append('\n');
            });
            return text.toString();
        }
    }

    /** Draws charts below one another. */
    static String svg(List<? extends Chart> charts) {
        StringBuilder out = new StringBuilder();
        int top = 0;
        for (Chart chart : charts) {
            chart.draw(out, top);
            top += chart.height();
        }
        return open(top) + out + "</svg>\n";
    }

    /** Puts pictures below one another. */
    static String stack(List<String> pictures, String caption) {
        StringBuilder out = new StringBuilder();
        int top = 0;
        for (String picture : pictures) {
            Matcher height = HEIGHT.matcher(picture);
            if (height.find()) {
                out.append(picture.replaceFirst("<svg ", "<svg y=\"" + top + "\" "));
                top += Integer.parseInt(height.group(1));
            }
        }
        text(out, 10, top + 18, "start", caption, false);
        return open(top + 30) + "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n" + out + "</svg>\n";
    }

    private static String open(int height) {
        return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"" + WIDTH + "\" height=\"" + height
                + "\" font-family=\"sans-serif\" font-size=\"12\">\n";
    }

    private static void text(StringBuilder out, double x, double y, String anchor, String text, boolean bold) {
        out.append("<text x=\"")
                .append(number(x))
                .append("\" y=\"")
                .append(number(y))
                .append("\" text-anchor=\"")
                .append(anchor)
                .append(bold ? "\" font-weight=\"bold\">" : "\">")
                .append(text.replace("&", "&amp;").replace("<", "&lt;"))
                .append("</text>\n");
    }

    private static void line(StringBuilder out, double x1, double y1, double x2, double y2, String colour) {
        out.append("<line x1=\"")
                .append(number(x1))
                .append("\" y1=\"")
                .append(number(y1))
                .append("\" x2=\"")
                .append(number(x2))
                .append("\" y2=\"")
                .append(number(y2))
                .append("\" stroke=\"")
                .append(colour)
                .append("\"/>\n");
    }

    private static void rectangle(StringBuilder out, double x, double y, double width, double height, String colour) {
        out.append("<rect x=\"")
                .append(number(x))
                .append("\" y=\"")
                .append(number(y))
                .append("\" width=\"")
                .append(number(width))
                .append("\" height=\"")
                .append(number(height))
                .append("\" fill=\"")
                .append(colour)
                .append("\"/>\n");
    }

    private static String number(double value) {
        return value == Math.rint(value)
                ? String.format(Locale.ROOT, "%.0f", value)
                : String.format(Locale.ROOT, "%.1f", value);
    }
}
