package run.caracal.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Collects the figures of one benchmark and writes them as a markdown table and as a picture; then joins those of all
 * benchmarks that have been run so far into {@code benchmarks.md}, which ends with the budgets alone, and
 * {@code benchmarks.svg}.
 */
final class Report {
    private static final String JOINED = "benchmarks";

    private final Path folder;
    private final String name;
    private final String title;
    private final List<String> rows = new ArrayList<>();
    private final List<Chart> charts = new ArrayList<>();
    private final Chart.Bars bars;

    Report(Path folder, String name, String title) {
        this.folder = folder;
        this.name = name;
        this.title = title;
        this.bars = new Chart.Bars(title);
    }

    /**
     * Adds a figure that has a budget.
     *
     * @param what the name of the figure
     * @param figure the figure
     * @param atMost whether the budget is an upper limit
     * @param budget the budget
     * @param absolute the figures behind it, in words
     */
    void budget(String what, Stat figure, boolean atMost, double budget, String absolute) {
        boolean holds = atMost ? figure.median() <= budget : figure.median() >= budget;
        row(
                what,
                figure.text(),
                (atMost ? "at most " : "at least ") + Stat.number(budget),
                holds ? "yes" : "**no**",
                absolute);
        bars.add(what, figure, budget, holds);
    }

    /**
     * Adds the cost of operations relative to others: time and processor time, which have the same budget, and allocation.
     *
     * @param what the name of the figures
     * @param measured the rounds
     * @param name the operations
     * @param base the operations to compare with
     * @param most the most time
     * @param bytes the most allocation
     */
    void costs(String what, Rounds measured, String name, String base, double most, double bytes) {
        budget(
                what + ", time",
                measured.time(name, base),
                true,
                most,
                measured.percentiles(name) + " against " + measured.percentiles(base));
        budget(what + ", CPU", measured.cpu(name, base), true, most, micros(measured, name, base));
        String allocated = Stat.number(measured.bytes(name).median()) + " B against "
                + Stat.number(measured.bytes(base).median()) + " B";
        budget(what + ", allocation", measured.allocation(name, base), true, bytes, allocated);
    }

    /** The processor time behind a ratio. */
    static String micros(Rounds measured, String name, String base) {
        return Stat.number(measured.cpuNanos(name).median() / 1e3) + " µs against "
                + Stat.number(measured.cpuNanos(base).median() / 1e3) + " µs";
    }

    /** Adds a figure without a budget. */
    void figure(String what, Stat figure, String absolute) {
        row(what, figure.text(), "", "", absolute);
        bars.add(what, figure, Double.NaN, true);
    }

    /** Adds a figure that is not a ratio, and so has no place among the bars. */
    void value(String what, String figure, String budget, String holds, String absolute) {
        row(what, figure, budget, holds, absolute);
    }

    private void row(String... cells) {
        rows.add("| " + String.join(" | ", cells) + " |");
        System.out.println(name + ": " + String.join(" | ", cells));
    }

    /** Adds a chart of growth. */
    void chart(Chart chart) {
        charts.add(chart);
    }

    /** Writes the files of this benchmark and the joined ones. */
    void write() {
        StringBuilder text = new StringBuilder("### " + title + "\n\n")
                .append("| what | figure | budget | holds | absolute |\n| --- | --- | --- | --- | --- |\n");
        rows.forEach(row -> text.append(row).append('\n'));
        for (Chart chart : charts) {
            text.append('\n').append(chart.table());
        }
        List<Chart> drawn = new ArrayList<>(charts);
        if (!bars.isEmpty()) {
            drawn.add(0, bars);
        }
        try {
            Files.createDirectories(folder);
            Files.writeString(folder.resolve(name + ".md"), text);
            Files.writeString(folder.resolve(name + ".svg"), Chart.svg(drawn));
            join();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private void join() throws IOException {
        StringBuilder text = new StringBuilder(machine()).append('\n');
        StringBuilder budgets = new StringBuilder("| what | figure | budget | holds |\n| --- | --- | --- | --- |\n");
        for (Path part : parts(".md")) {
            String figures = Files.readString(part);
            text.append('\n').append(figures);
            figures.lines()
                    .filter(line -> line.contains("| yes |")
                            || line.contains("| **no** |")
                            || line.contains("| within a tenth |"))
                    // Without the absolute figures.
                    .map(line -> line.substring(0, line.lastIndexOf('|', line.length() - 3) + 1))
                    .forEach(line -> budgets.append(line).append('\n'));
        }
        Files.writeString(
                folder.resolve(JOINED + ".md"), text.append("\n### Budgets\n\n").append(budgets));
        List<String> pictures = new ArrayList<>();
        for (Path part : parts(".svg")) {
            pictures.add(Files.readString(part));
        }
        Files.writeString(folder.resolve(JOINED + ".svg"), Chart.stack(pictures, machine()));
    }

    private List<Path> parts(String ending) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.getFileName().toString().endsWith(ending)
                            && !file.getFileName().toString().startsWith(JOINED))
                    .sorted()
                    .toList();
        }
    }

    /** The machine that the figures were measured on. */
    static String machine() {
        return String.format(
                Locale.ROOT,
                "%d processors %s, %s, JDK %s. Ratios are medians of interleaved rounds, with quartiles.",
                Runtime.getRuntime().availableProcessors(),
                System.getProperty("os.arch"),
                System.getProperty("os.name"),
                Runtime.version());
    }
}
