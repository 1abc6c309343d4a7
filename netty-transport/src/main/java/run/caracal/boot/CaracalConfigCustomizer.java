package run.caracal.boot;

import run.caracal.config.CaracalConfig;

/**
 * Customizes the configuration before the client is created, for settings without a property. Beans of this type are called in
 * Spring's order.
 */
@FunctionalInterface
public interface CaracalConfigCustomizer {

    /**
     * Customizes the configuration.
     *
     * @param builder holds the settings of the properties, the profile and the environment
     */
    void customize(CaracalConfig.Builder builder);
}
