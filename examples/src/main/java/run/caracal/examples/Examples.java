package run.caracal.examples;

import run.caracal.error.CaracalException;
import run.caracal.examples.platform.LocalPlatformProgram;

/** Runs an example program by its name. */
public final class Examples {
    private Examples() {}

    /**
     * Runs one program.
     *
     * @param args the name of the program
     */
    public static void main(String[] args) {
        try {
            run(args.length == 0 ? "" : args[0]);
        } catch (CaracalException e) {
            System.err.println(e.getMessage());
            System.exit(1);
        }
    }

    private static void run(String name) {
        switch (name) {
            case "quickstart" -> Quickstart.run(System.out);
            case "webclient" -> WebClientExample.run(System.out);
            case "pipeline" -> Pipeline.run(System.out);
            case "delegation" -> DelegationExample.run(System.out);
            case "daemon" -> Daemon.run(System.out);
            case "local-platform" -> LocalPlatformProgram.run();
            default -> {
                System.err.println("No example is called '" + name
                        + "'. There are: quickstart, webclient, pipeline, delegation, daemon, local-platform");
                System.exit(2);
            }
        }
    }
}
