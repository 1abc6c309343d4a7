package run.caracal.boot;

import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.ReactiveWebApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.context.annotation.Configuration;

/** Contexts with everything that Boot would configure, and the three properties that an application sets. */
final class Contexts {
    private static final String[] THREE = {
        "caracal.zone-id=zone-test", "caracal.application-id=app-test", "caracal.client-secret=hidden-value"
    };

    private Contexts() {}

    /** An application without beans of its own. */
    @Configuration(proxyBeanMethods = false)
    @EnableAutoConfiguration
    static class Application {}

    static ApplicationContextRunner plain() {
        return new ApplicationContextRunner()
                .withUserConfiguration(Application.class)
                .withPropertyValues(THREE);
    }

    static ReactiveWebApplicationContextRunner reactive() {
        return new ReactiveWebApplicationContextRunner()
                .withUserConfiguration(Application.class)
                .withPropertyValues(THREE);
    }

    static WebApplicationContextRunner servlet() {
        return new WebApplicationContextRunner()
                .withUserConfiguration(Application.class)
                .withPropertyValues(THREE);
    }
}
