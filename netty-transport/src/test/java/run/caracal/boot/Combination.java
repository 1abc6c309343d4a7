package run.caracal.boot;

import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.catalina.webresources.TomcatURLStreamHandlerFactory;
import org.springframework.boot.Banner;
import org.springframework.boot.WebApplicationType;
import org.springframework.boot.builder.SpringApplicationBuilder;
import org.springframework.context.ConfigurableApplicationContext;

/** An application with the libraries of the class loader that loaded this class. */
public final class Combination {
    private Combination() {}

    /** {@return the names of the SDK's beans in an application} Starts and closes it. */
    public static Set<String> beans(String type, String[] properties) {
        if (type.equals("SERVLET")) {
            // The JVM accepts one handler factory, and each class loader would install its own.
            var unused = TomcatURLStreamHandlerFactory.disable();
        }
        try (ConfigurableApplicationContext started = new SpringApplicationBuilder(Contexts.Application.class)
                .web(WebApplicationType.valueOf(type))
                .bannerMode(Banner.Mode.OFF)
                .registerShutdownHook(false)
                .run(Stream.of(properties).map(it -> "--" + it).toArray(String[]::new))) {
            return Stream.of(started.getBeanDefinitionNames())
                    .filter(name -> name.matches("caracal\\w*"))
                    .collect(Collectors.toCollection(TreeSet::new));
        }
    }
}
