package run.caracal.boot;

import run.caracal.config.CaracalConfig;

/**
 * Changes the configuration that the properties made, before the client is created: for what no property can say. A bean of
 * this type is called in the order of Spring.
 */
@FunctionalInterface
public interface CaracalConfigCustomizer {

    /**
     * Changes the configuration.
     *
     * @param builder holds what the properties, the profile and the environment say
     */
    void customize(CaracalConfig.Builder builder);
}
