package run.caracal.examples;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;
import run.caracal.error.CaracalException;
import run.caracal.examples.boot.BootExample;
import run.caracal.platform.LocalPlatformProgram;

/** Runs an example program by name. */
public final class Examples {
    private static final Map<String, Runnable> PROGRAMS = new LinkedHashMap<>();

    static {
        PROGRAMS.put("quickstart", () -> Quickstart.run(System.out));
        PROGRAMS.put("protected-call", () -> ProtectedCall.run(System.out));
        PROGRAMS.put("approval", () -> Approval.run(System.out, System.in));
        PROGRAMS.put("webclient", () -> WebClientExample.run(System.out));
        PROGRAMS.put("pipeline", () -> Pipeline.run(System.out));
        PROGRAMS.put("delegation", () -> DelegationExample.run(System.out));
        PROGRAMS.put("daemon", () -> Daemon.run(System.out));
        PROGRAMS.put("webflux-chain", () -> Deployment.chain(System.out));
        PROGRAMS.put("boot", () -> BootExample.run(System.out));
        PROGRAMS.put("local-platform", LocalPlatformProgram::run);
    }

    private Examples() {}

    /** The programs. */
    static Set<String> names() {
        return PROGRAMS.keySet();
    }

    /**
     * Runs one program.
     *
     * @param args the name of the program
     */
    public static void main(String[] args) {
        String name = args.length == 0 ? "" : args[0];
        Runnable program = PROGRAMS.get(name);
        if (program == null) {
            System.err.println("No example is called '" + name + "'. There are: " + String.join(", ", names()));
            System.exit(2);
            return;
        }
        try {
            program.run();
        } catch (CaracalException | IllegalStateException e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
    }
}
