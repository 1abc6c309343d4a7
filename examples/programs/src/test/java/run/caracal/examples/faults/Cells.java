package run.caracal.examples.faults;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.EnumMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import run.caracal.examples.faults.Bench.Op;
import run.caracal.examples.faults.Cell.Expected;
import run.caracal.examples.faults.Cell.Refused;
import run.caracal.examples.faults.Cell.World;
import run.caracal.examples.faults.FaultProxy.Plan;

/** The expected outcome of every fault, as a table: the result of the caller, the attempts, the sessions left. */
final class Cells {

    /**
     * Each request of the operation meets the fault. A cell reads: the result of the caller, attempts, sessions left.
     * Sessions are left where the platform cannot be told to end them: when it has become unreachable, when the close itself
     * fails, and when only the lost answer named the session; and where another server takes the close with a 2xx.
     */
    private static final String ALWAYS = """
            fault           | EXCHANGE             | MINT                 | OPEN                 | CLOSE  | DELEGATE             | RENEW                | ATTACH
            REFUSED         | connect 1 0          | connect 1 0          | connect 3 0          | ok 3 1 | connect 2 2          | connect 1 1          | connect 2 1
            RESET_AT_ACCEPT | connect/io 1 0       | connect/io 1 0       | connect/io 3 0       | ok 3 1 | connect/io 2 2       | connect/io 1 1       | connect/io 2 1
            TLS_TO_PLAIN    | connect 1 0          | connect 1 0          | connect 3 0          | ok 3 1 | connect 2 2          | connect 1 1          | connect 2 1
            TLS_UNTRUSTED   | connect 1 0          | connect 1 0          | connect 3 0          | ok 3 1 | connect 2 2          | connect 1 1          | connect 2 1
            DNS             | connect 1 0          | connect 1 0          | connect 3 0          | ok 3 1 | connect 2 2          | connect 1 1          | connect 2 1
            RESET_DURING    | io 1 0               | io 1 0               | io 3 0               | ok 3 1 | io 2 0               | io 1 0               | io 2 0
            HALF_CLOSE      | io 1 0               | io 1 0               | io 3 0               | ok 3 1 | io 2 0               | io 1 0               | io 2 0
            STALL_BEFORE    | timeout 1 0          | timeout 1 0          | timeout 3 0          | ok 3 1 | timeout 2 0          | timeout 1 0          | timeout 2 0
            NO_HTTP         | io 1 0               | io 1 0               | io 3 0               | ok 3 1 | io 2 0               | io 1 0               | io 2 0
            RESET_AFTER     | io 1 0               | io 1 0               | io 3 1               | ok 3 0 | io 2 0               | io 1 0               | io 2 1
            STALL_HEADERS   | timeout 1 0          | timeout 1 0          | timeout 3 1          | ok 3 0 | timeout 2 0          | timeout 1 0          | timeout 2 1
            STALL_BODY      | timeout 1 0          | timeout 1 0          | timeout 3 1          | ok 3 0 | timeout 2 0          | timeout 1 0          | timeout 2 1
            DRIP            | timeout 1 0          | timeout 1 0          | timeout 3 1          | ok 3 0 | timeout 2 0          | timeout 1 0          | timeout 2 1
            CUT_BODY        | io 1 0               | io 1 0               | io 3 1               | ok 3 0 | io 2 0               | io 1 0               | io 2 1
            RESET_BODY      | io 1 0               | io 1 0               | io 3 1               | ok 3 0 | io 2 0               | io 1 0               | io 2 1
            CHUNKED_STALL   | timeout 1 0          | timeout 1 0          | timeout 3 1          | ok 3 0 | timeout 2 0          | timeout 1 0          | timeout 2 1
            TRUNCATED_JSON  | protocol_error 1 0   | protocol_error 1 0   | protocol_error 3 1   | ok 1 0 | protocol_error 2 0   | protocol_error 1 0   | protocol_error 2 1
            WRONG_TYPE      | ok 1 0               | ok 1 0               | ok 1 0               | ok 1 0 | ok 1 0               | ok 1 0               | ok 1 0
            HTTP_1_0        | ok 1 0               | ok 1 0               | ok 1 0               | ok 1 0 | ok 1 0               | ok 1 0               | ok 1 0
            OVERSIZED       | response_too_large 1 0 | response_too_large 1 0 | response_too_large 1 0 | ok 1 1 | response_too_large 1 0 | response_too_large 1 0 | response_too_large 1 0
            CHUNKED_FLOOD   | response_too_large 1 0 | response_too_large 1 0 | response_too_large 1 0 | ok 1 1 | response_too_large 1 0 | response_too_large 1 0 | response_too_large 1 0
            GZIP_BOMB       | protocol_error 1 0   | protocol_error 1 0   | protocol_error 3 0   | ok 1 1 | protocol_error 2 0   | protocol_error 1 0   | protocol_error 2 0
            EMPTY           | protocol_error 1 0   | protocol_error 1 0   | protocol_error 3 0   | ok 1 1 | protocol_error 2 0   | protocol_error 1 0   | protocol_error 2 0
            GARBAGE         | protocol_error 1 0   | protocol_error 1 0   | protocol_error 3 0   | ok 1 1 | protocol_error 2 0   | protocol_error 1 0   | protocol_error 2 0
            HTML            | protocol_error 1 0   | protocol_error 1 0   | protocol_error 3 0   | ok 1 1 | protocol_error 2 0   | protocol_error 1 0   | protocol_error 2 0
            REDIRECT_302    | error 1 0            | error 1 0            | error 1 0            | ok 1 1 | error 1 0            | error 1 0            | error 1 0
            REDIRECT_307    | error 1 0            | error 1 0            | error 1 0            | ok 1 1 | error 1 0            | error 1 0            | error 1 0
            """;

    /**
     * The first request of the operation meets the fault. A caller that sees an error calls again, and that call has to
     * succeed; its attempts are counted too, but not those in the background.
     */
    private static final String ONCE = """
            fault           | EXCHANGE             | MINT                 | OPEN                 | CLOSE  | DELEGATE             | RENEW                | ATTACH
            RESET_AT_ACCEPT | connect/io 2 0       | connect/io 2 0       | ok 2 0               | ok 2 0 | ok 2 0               | connect/io 2 0       | ok 2 0
            TLS_TO_PLAIN    | connect 2 0          | connect 2 0          | ok 2 0               | ok 2 0 | ok 2 0               | connect 2 0          | ok 2 0
            TLS_UNTRUSTED   | connect 2 0          | connect 2 0          | ok 2 0               | ok 2 0 | ok 2 0               | connect 2 0          | ok 2 0
            DNS             | connect 2 0          | connect 2 0          | ok 2 0               | ok 2 0 | ok 2 0               | connect 2 0          | ok 2 0
            RESET_DURING    | io 2 0               | io 2 0               | ok 2 0               | ok 2 0 | ok 2 0               | io 2 0               | ok 2 0
            HALF_CLOSE      | io 2 0               | io 2 0               | ok 2 0               | ok 2 0 | ok 2 0               | io 2 0               | ok 2 0
            STALL_BEFORE    | timeout 2 0          | timeout 2 0          | ok 2 0               | ok 2 0 | ok 2 0               | timeout 2 0          | ok 2 0
            NO_HTTP         | io 2 0               | io 2 0               | ok 2 0               | ok 2 0 | ok 2 0               | io 2 0               | ok 2 0
            RESET_AFTER     | io 2 0               | io 2 0               | ok 2 0               | ok 2 0 | ok 2 0               | io 2 0               | ok 2 0
            LOST_THEN_GONE  | -                    | -                    | connect 4 0          | ok 3 0 | connect 3 0          | -                    | connect 3 1
            STALL_HEADERS   | timeout 2 0          | timeout 2 0          | ok 2 0               | ok 2 0 | ok 2 0               | timeout 2 0          | ok 2 0
            STALL_BODY      | timeout 2 0          | timeout 2 0          | ok 2 0               | ok 2 0 | ok 2 0               | timeout 2 0          | ok 2 0
            DRIP            | timeout 2 0          | timeout 2 0          | ok 2 0               | ok 2 0 | ok 2 0               | timeout 2 0          | ok 2 0
            CUT_BODY        | io 2 0               | io 2 0               | ok 2 0               | ok 2 0 | ok 2 0               | io 2 0               | ok 2 0
            RESET_BODY      | io 2 0               | io 2 0               | ok 2 0               | ok 2 0 | ok 2 0               | io 2 0               | ok 2 0
            CHUNKED_STALL   | timeout 2 0          | timeout 2 0          | ok 2 0               | ok 2 0 | ok 2 0               | timeout 2 0          | ok 2 0
            TRUNCATED_JSON  | protocol_error 2 0   | protocol_error 2 0   | ok 2 0               | ok 1 0 | ok 2 0               | protocol_error 2 0   | ok 2 0
            OVERSIZED       | response_too_large 2 0 | response_too_large 2 0 | response_too_large 2 0 | ok 1 1 | response_too_large 2 0 | response_too_large 2 0 | response_too_large 2 0
            GZIP_BOMB       | protocol_error 2 0   | protocol_error 2 0   | ok 2 0               | ok 1 1 | ok 2 0               | protocol_error 2 0   | ok 2 0
            EMPTY           | protocol_error 2 0   | protocol_error 2 0   | ok 2 0               | ok 1 1 | ok 2 0               | protocol_error 2 0   | ok 2 0
            HTML            | protocol_error 2 0   | protocol_error 2 0   | ok 2 0               | ok 1 1 | ok 2 0               | protocol_error 2 0   | ok 2 0
            REDIRECT_307    | error 2 0            | error 2 0            | error 2 0            | ok 1 1 | error 2 0            | error 2 0            | error 2 0
            """;

    /**
     * A call through the Gateway: the caller's own HTTP client sees the fault, and it never retries. It gets any 2xx
     * unchanged, and has to limit the size of the body itself.
     */
    private static final String CALL_ALWAYS = """
            fault           | GATEWAY                          | UPSTREAM
            REFUSED         | refused 0 0                      | 502 GATEWAY internal_error 0 0
            RESET_AT_ACCEPT | broken 0 0                       | 502 GATEWAY internal_error 0 0
            TLS_TO_PLAIN    | tls 0 0                          | -
            TLS_UNTRUSTED   | tls 0 0                          | -
            DNS             | unknown host 0 0                 | -
            RESET_DURING    | broken 1 0                       | 502 GATEWAY internal_error 1 0
            HALF_CLOSE      | broken 1 0                       | 502 GATEWAY internal_error 1 0
            STALL_BEFORE    | ReadTimeoutException 1 0         | 504 GATEWAY internal_error 1 0
            NO_HTTP         | InvalidLineSeparatorException 1 0 | 502 GATEWAY internal_error 1 0
            RESET_AFTER     | broken 1 0                       | 502 GATEWAY internal_error 1 0
            STALL_HEADERS   | ReadTimeoutException 1 0         | 504 GATEWAY internal_error 1 0
            STALL_BODY      | ReadTimeoutException 1 0         | broken/504 GATEWAY internal_error 1 0
            DRIP            | TimeoutException 1 0             | 200/504 GATEWAY internal_error/broken 1 0
            CUT_BODY        | broken 1 0                       | broken 1 0
            RESET_BODY      | broken 1 0                       | broken 1 0
            CHUNKED_STALL   | ReadTimeoutException 1 0         | broken/504 GATEWAY internal_error 1 0
            TRUNCATED_JSON  | 200 1 0                          | 200 1 0
            WRONG_TYPE      | 200 1 0                          | 200 1 0
            HTTP_1_0        | 200 1 0                          | 200 1 0
            OVERSIZED       | 200 1 0                          | 200 1 0
            GZIP_BOMB       | 200 1 0                          | 200 1 0
            EMPTY           | 200 1 0                          | 200 1 0
            GARBAGE         | 200 1 0                          | 200 1 0
            HTML            | 200 1 0                          | 200 1 0
            REDIRECT_302    | 302 GATEWAY error 1 0            | 302 1 0
            REDIRECT_307    | 307 GATEWAY error 1 0            | 307 1 0
            """;

    // Reset at accept: Reactor Netty connects once more if the reset comes before it has written the request.
    private static final String CALL_ONCE = """
            fault           | GATEWAY                          | UPSTREAM
            RESET_AT_ACCEPT | broken/200 1 0                   | 502 GATEWAY internal_error 1 0
            TLS_TO_PLAIN    | tls 1 0                          | -
            DNS             | unknown host 1 0                 | -
            RESET_DURING    | broken 2 0                       | 502 GATEWAY internal_error 2 0
            HALF_CLOSE      | broken 2 0                       | 502 GATEWAY internal_error 2 0
            STALL_BEFORE    | ReadTimeoutException 2 0         | -
            NO_HTTP         | InvalidLineSeparatorException 2 0 | 502 GATEWAY internal_error 2 0
            RESET_AFTER     | broken 2 0                       | 502 GATEWAY internal_error 2 0
            STALL_HEADERS   | ReadTimeoutException 2 0         | -
            STALL_BODY      | ReadTimeoutException 2 0         | -
            DRIP            | TimeoutException 2 0             | -
            CUT_BODY        | broken 2 0                       | broken 2 0
            RESET_BODY      | broken 2 0                       | broken 2 0
            CHUNKED_STALL   | ReadTimeoutException 2 0         | -
            TRUNCATED_JSON  | 200 1 0                          | 200 1 0
            WRONG_TYPE      | 200 1 0                          | 200 1 0
            HTTP_1_0        | 200 1 0                          | 200 1 0
            OVERSIZED       | 200 1 0                          | 200 1 0
            GZIP_BOMB       | 200 1 0                          | 200 1 0
            EMPTY           | 200 1 0                          | 200 1 0
            GARBAGE         | 200 1 0                          | 200 1 0
            HTML            | 200 1 0                          | 200 1 0
            REDIRECT_302    | 302 GATEWAY error 2 0            | 302 2 0
            REDIRECT_307    | 307 GATEWAY error 2 0            | 307 2 0
            """;

    /**
     * The fetch of the zone's keys, for which the verifier of an incoming mandate waits. Every failure is 503 {@code
     * verifier_unavailable} with the named cause: a mandate that cannot be proven is neither denied nor let in.
     */
    private static final String KEYS_ALWAYS = """
            fault           | VERIFY
            REFUSED         | connect 1 0
            RESET_AT_ACCEPT | connect/io 1 0
            TLS_TO_PLAIN    | connect 1 0
            TLS_UNTRUSTED   | connect 1 0
            DNS             | connect 1 0
            RESET_DURING    | io 1 0
            HALF_CLOSE      | io 1 0
            STALL_BEFORE    | timeout 1 0
            NO_HTTP         | io 1 0
            RESET_AFTER     | io 1 0
            STALL_HEADERS   | timeout 1 0
            STALL_BODY      | timeout 1 0
            DRIP            | timeout 1 0
            CUT_BODY        | io 1 0
            RESET_BODY      | io 1 0
            CHUNKED_STALL   | timeout 1 0
            TRUNCATED_JSON  | protocol_error 1 0
            WRONG_TYPE      | ok 1 0
            HTTP_1_0        | ok 1 0
            OVERSIZED       | response_too_large 1 0
            CHUNKED_FLOOD   | response_too_large 1 0
            GZIP_BOMB       | protocol_error 1 0
            EMPTY           | protocol_error 1 0
            GARBAGE         | protocol_error 1 0
            HTML            | protocol_error 1 0
            REDIRECT_302    | protocol_error 1 0
            REDIRECT_307    | protocol_error 1 0
            """;

    /** A failed fetch is not kept: the next request has it made again, and is let in. */
    private static final String KEYS_ONCE = """
            fault           | VERIFY
            RESET_AT_ACCEPT | connect/io 2 0
            TLS_TO_PLAIN    | connect 2 0
            TLS_UNTRUSTED   | connect 2 0
            DNS             | connect 2 0
            RESET_DURING    | io 2 0
            HALF_CLOSE      | io 2 0
            STALL_BEFORE    | timeout 2 0
            NO_HTTP         | io 2 0
            RESET_AFTER     | io 2 0
            STALL_HEADERS   | timeout 2 0
            STALL_BODY      | timeout 2 0
            DRIP            | timeout 2 0
            CUT_BODY        | io 2 0
            RESET_BODY      | io 2 0
            CHUNKED_STALL   | timeout 2 0
            TRUNCATED_JSON  | protocol_error 2 0
            OVERSIZED       | response_too_large 2 0
            GZIP_BOMB       | protocol_error 2 0
            EMPTY           | protocol_error 2 0
            HTML            | protocol_error 2 0
            REDIRECT_307    | protocol_error 2 0
            """;

    static final String UNKNOWN_KEY = "The token is signed by no key of the zone";

    private static final Refused UNAVAILABLE = new Refused(503, true, false);
    private static final Refused DENIED = new Refused(401, false, false);

    private Cells() {}

    static List<Cell> all() {
        List<Cell> cells = wire();
        cells.addAll(Answers.all());
        for (World world : List.of(World.AHEAD, World.BEHIND)) {
            for (Op op : Op.values()) {
                String saw = op.isControl() ? "ok" : "200";
                boolean called = op != Op.UPSTREAM; // without a fault the same as GATEWAY
                if (called) {
                    // A verifier reads its own clock, with a tolerance of a minute: not valid yet, or expired.
                    String why = world == World.AHEAD
                            ? "The token was issued in the future: check the clocks"
                            : "The token has expired";
                    Expected expected = op == Op.VERIFY ? denied(why) : new Expected(saw, 1, 0);
                    cells.add(cell(op, "clock 10 min " + world, world, expected));
                }
            }
        }
        read(cells);
        return cells;
    }

    private static Cell cell(Op op, String fault, World world, Expected expected) {
        return new Cell(op, fault, false, Plan.none(), world, expected);
    }

    /**
     * The platform restarts with other keys and without its state: the client's token is rejected, so each first request is
     * sent twice, and the sessions that it names are unknown.
     */
    private static void read(List<Cell> cells) {
        Map<Op, Expected> restarted = new EnumMap<>(Op.class);
        restarted.put(Op.OPEN, new Expected("ok", 2, 0));
        restarted.put(Op.CLOSE, new Expected("ok", 2, 0));
        restarted.put(Op.DELEGATE, new Expected("parent_not_found", "CoordinatorException", 0, 0, null));
        restarted.put(Op.RENEW, new Expected("lease_lost_gone", "LeaseLostException", 2, 0, null));
        restarted.put(Op.ATTACH, new Expected("session_not_found", "CoordinatorException", 2, 0, null));
        // The authority on demand is obtained anew, which shows that the session itself is gone.
        restarted.put(Op.MINT, new Expected("parent_not_found", "CoordinatorException", 2, 0, null));
        restarted.put(Op.GATEWAY, new Expected("parent_not_found", "CoordinatorException", 1, 0, null));
        restarted.put(Op.VERIFY, denied(UNKNOWN_KEY));
        restarted.forEach((op, expected) -> cells.add(cell(op, "restart without state", World.FORGETFUL, expected)));
    }

    private static List<Cell> wire() {
        List<Cell> cells = new ArrayList<>();
        read(cells, ALWAYS, false);
        read(cells, ONCE, true);
        read(cells, CALL_ALWAYS, false);
        read(cells, CALL_ONCE, true);
        read(cells, KEYS_ALWAYS, false);
        read(cells, KEYS_ONCE, true);
        for (Cell cell : List.copyOf(cells)) {
            if (cell.op() == Op.VERIFY) {
                cells.addAll(aged(cell));
            }
        }
        return cells;
    }

    /**
     * The same for a verifier that fetched the keys before: while they are only stale, no caller waits for the next fetch or
     * sees its error; keys that are too old count as absent.
     */
    private static List<Cell> aged(Cell cell) {
        Plan first = cell.plan();
        Plan second = new Plan(first.fault(), null, false, first.hits(), first.after() + 1, first.times());
        Expected cold = cell.expected();
        Expected old = new Expected(cold.saw(), cold.type(), cold.attempts() + 1, cold.left(), cold.answer());
        return List.of(
                new Cell(
                        Op.VERIFY,
                        cell.fault() + ", stale keys",
                        cell.once(),
                        second,
                        World.STALE_KEYS,
                        new Expected("ok", 2, 0)),
                new Cell(Op.VERIFY, cell.fault() + ", old keys", cell.once(), second, World.OLD_KEYS, old));
    }

    /** Of a verifier that has the keys, and reads in them or in the claims that the mandate is not good. */
    static Expected denied(String why) {
        return new Expected("invalid_token " + why, "InboundException", 1, 0, DENIED);
    }

    /** Of a verifier that cannot get the keys of its zone, for one of these reasons. */
    static Expected unavailable(String causes, int attempts) {
        String saw = Arrays.stream(causes.split("/", -1))
                .map(cause -> "verifier_unavailable " + cause)
                .collect(Collectors.joining("/"));
        return new Expected(saw, "InboundException", attempts, 0, UNAVAILABLE);
    }

    private static void read(List<Cell> cells, String table, boolean once) {
        List<String> lines = table.lines().toList();
        String[] ops = lines.get(0).split("\\|", -1);
        for (String line : lines.subList(1, lines.size())) {
            String[] columns = line.split("\\|", -1);
            WireFault fault = WireFault.valueOf(columns[0].strip());
            for (int i = 1; i < columns.length; i++) {
                String text = columns[i].strip();
                if (!text.equals("-")) {
                    Op op = Op.valueOf(ops[i].strip());
                    Plan plan = new Plan(fault, null, false, op.hits, op.after, once ? 1 : Integer.MAX_VALUE);
                    String name = fault.name().toLowerCase(Locale.ROOT).replace('_', ' ');
                    cells.add(new Cell(op, name, once, plan, World.SOUND, expected(op, text)));
                }
            }
        }
    }

    private static final Pattern CELL = Pattern.compile("(.*) ([0-9]+) ([0-9]+)");

    private static Expected expected(Op op, String text) {
        Matcher matcher = CELL.matcher(text);
        if (!matcher.matches()) {
            throw new IllegalArgumentException(text);
        }
        int attempts = Integer.parseInt(matcher.group(2));
        if (op == Op.VERIFY && !matcher.group(1).equals("ok")) {
            return unavailable(matcher.group(1), attempts);
        }
        return new Expected(matcher.group(1), attempts, Integer.parseInt(matcher.group(3)));
    }
}
