package run.caracal.boot;

import org.springframework.boot.autoconfigure.EnableAutoConfiguration;
import org.springframework.boot.autoconfigure.ImportAutoConfiguration;
import org.springframework.boot.test.context.runner.ApplicationContextRunner;
import org.springframework.boot.test.context.runner.ReactiveWebApplicationContextRunner;
import org.springframework.boot.test.context.runner.WebApplicationContextRunner;
import org.springframework.context.annotation.Configuration;

/** Contexts with Boot's whole auto-configuration and the three required properties. */
final class Contexts {
    private static final String[] THREE = {
        "caracal.zone-id=zone-test", "caracal.application-id=app-test", "caracal.client-secret=hidden-value"
    };

    /** Boot's own security, which would reject every request. */
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

    /** Imports by name, as Boot does, so that a class whose annotations are missing is parsed but not loaded. */
    @Configuration(proxyBeanMethods = false)
    @ImportAutoConfiguration({
        CaracalActuatorAutoConfiguration.class,
        CaracalAutoConfiguration.class,
        CaracalInboundAutoConfiguration.class,
        CaracalObservabilityAutoConfiguration.class,
        CaracalWebClientAutoConfiguration.class
    })
    static class Ours {}

    /** A reactive application with the SDK's auto-configuration only. */
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
