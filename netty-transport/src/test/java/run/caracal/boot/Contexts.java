package run.caracal.boot;

import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.ReactiveWebApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.context.annotation.Configuration;

/** Contexts with everything that Boot would configure, and the three properties that an application sets. */
final class Contexts {
    private static final String[] THREE = {
        "caracal.zone-id=zone-test", "caracal.application-id=app-test", "caracal.client-secret=hidden-value"
    };

    /** What Boot would put in front of every request. */
    static final String WEB_SECURITY =
            "org.springframework.boot.security.autoconfigure.web.reactive.ReactiveWebSecurityAutoConfiguration,"
                    + "org.springframework.boot.security.autoconfigure.actuate.web.reactive.ReactiveManagementWebSecurityAutoConfiguration";

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

    /** Named, as Boot names it: a class whose annotations are missing is read, and not loaded. */
    @Configuration(proxyBeanMethods = false)
    @ImportAutoConfiguration({
        CaracalActuatorAutoConfiguration.class,
        CaracalAutoConfiguration.class,
        CaracalInboundAutoConfiguration.class,
        CaracalObservabilityAutoConfiguration.class,
        CaracalWebClientAutoConfiguration.class
    })
    static class Ours {}

    /** A reactive application with nothing but the auto-configuration of the SDK. */
    static ReactiveWebApplicationContextRunner ours() {
        return new ReactiveWebApplicationContextRunner()
                .withUserConfiguration(Ours.class)
                .withPropertyValues(THREE);
    }

    static WebApplicationContextRunner servlet() {
        return new WebApplicationContextRunner()
                .withUserConfiguration(Application.class)
                .withPropertyValues(THREE);
    }
}
