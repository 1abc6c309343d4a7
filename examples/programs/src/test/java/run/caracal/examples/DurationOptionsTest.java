package run.caracal.examples;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMethod;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import io.lettuce.core.RedisClient;
import io.lettuce.core.cluster.api.reactive.RedisClusterReactiveCommands;
import java.lang.reflect.Proxy;
import java.net.URI;
import java.time.Duration;
import java.time.temporal.ChronoUnit;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Function;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import run.caracal.ApplicationOptions;
import run.caracal.Caracal;
import run.caracal.DelegationConstraints;
import run.caracal.DelegationSpec;
import run.caracal.FetchRequest;
import run.caracal.Grant;
import run.caracal.MandateOptions;
import run.caracal.ServiceAgent;
import run.caracal.ServiceOptions;
import run.caracal.SpawnOptions;
import run.caracal.config.CaracalConfig;
import run.caracal.error.ConfigurationException;
import run.caracal.http.HttpRequest;
import run.caracal.netty.CaracalHttp;
import run.caracal.netty.NettyHttpTransport;
import run.caracal.platform.LocalPlatform;
import run.caracal.redis.RedisRevocationStore;
import run.caracal.redis.RevocationConsumer;
import run.caracal.verify.InMemoryRevocationStore;
import run.caracal.verify.RevocationStore;

/** Every option of a time has limits, and is checked where it is set. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class DurationOptionsTest {
    private static final Duration NANOSECOND = Duration.ofNanos(1);
    private static final Duration AGES = Duration.ofDays(292 * 365);
    private static final Duration FOREVER = ChronoUnit.FOREVER.getDuration();

    private final LocalPlatform platform = LocalPlatform.builder().start();
    private final Caracal caracal = Caracal.create(platform.config());
    private final ServiceAgent agent =
            Objects.requireNonNull(caracal.spawnService().block());

    @AfterAll
    void close() {
        caracal.disposeLater().block();
        platform.disposeLater().block();
    }

    /** The extreme times that an option accepts, by documented rule. */
    private enum Takes {
        /** From a millisecond or more to a limit. */
        NEITHER,
        /** Any positive time up to a limit. */
        THE_SHORTEST,
        /** Any positive time; times beyond the limits are clamped. */
        BOTH
    }

    /**
     * An option.
     *
     * @param method the class and the method, for {@link #noOptionIsMissing()}
     * @param argument its name in messages
     * @param takes the extreme times that it accepts
     * @param set sets it, and builds the options, which may check it only then
     */
    private record Option(String method, String argument, Takes takes, Function<Duration, Object> set) {
        @Override
        public String toString() {
            return method;
        }
    }

    private static Option option(String method, String argument, Takes takes, Function<Duration, Object> set) {
        return new Option(method, argument, takes, set);
    }

    private List<Option> options() {
        RedisClusterReactiveCommands<String, String> redis = unconnected();
        RedisRevocationStore store = RedisRevocationStore.create(redis);
        return List.of(
                option("SpawnOptions$Builder.ttl", "ttl", Takes.NEITHER, SpawnOptions.builder()::ttl),
                option(
                        "SpawnOptions$Builder.closeTimeout",
                        "closeTimeout",
                        Takes.NEITHER,
                        SpawnOptions.builder()::closeTimeout),
                option(
                        "ServiceOptions$Builder.heartbeatInterval",
                        "heartbeatInterval",
                        Takes.BOTH,
                        ServiceOptions.builder()::heartbeatInterval),
                option("ServiceOptions$Builder.reopen", "reopen", Takes.NEITHER, ServiceOptions.builder()::reopen),
                option("ServiceAgent.heartbeats", "interval", Takes.BOTH, agent::heartbeats),
                option("Grant$Narrow.ttl", "ttl", Takes.NEITHER, Grant.narrow("a")::ttl),
                option("DelegationConstraints$Builder.ttl", "ttl", Takes.NEITHER, DelegationConstraints.builder()::ttl),
                option("DelegationSpec$Builder.ttl", "ttl", Takes.NEITHER, DelegationSpec.builder()::ttl),
                option("MandateOptions.withTtl", "ttl", Takes.NEITHER, MandateOptions.defaults()::withTtl),
                option("ApplicationOptions.withTtl", "ttl", Takes.NEITHER, ApplicationOptions.defaults()::withTtl),
                option("Caracal.federateSubject", "ttl", Takes.NEITHER, ttl -> caracal.federateSubject("a.b.c", ttl)),
                option(
                        "FetchRequest$Builder.timeout",
                        "timeout",
                        Takes.THE_SHORTEST,
                        FetchRequest.builder("resource://billing-api", "/")::timeout),
                option(
                        "HttpRequest.<init>",
                        "timeout",
                        Takes.THE_SHORTEST,
                        timeout -> new HttpRequest("GET", URI.create("http://a"), Map.of(), new byte[0], timeout, 1)),
                option(
                        "CaracalConfig$Builder.defaultTtl",
                        "defaultTtl",
                        Takes.NEITHER,
                        ttl -> config().defaultTtl(ttl).build()),
                option("CaracalConfig$Builder.closeTimeout", "closeTimeout", Takes.NEITHER, config()::closeTimeout),
                option(
                        "CaracalConfig$Builder.disposeTimeout",
                        "disposeTimeout",
                        Takes.NEITHER,
                        config()::disposeTimeout),
                option(
                        "CaracalConfig$Builder.coordinatorTimeout",
                        "coordinatorTimeout",
                        Takes.NEITHER,
                        config()::coordinatorTimeout),
                option(
                        "CaracalConfig$Builder.sessionAcquireTimeout",
                        "sessionAcquireTimeout",
                        Takes.NEITHER,
                        config()::sessionAcquireTimeout),
                option("CaracalConfig$Builder.stsTimeout", "stsTimeout", Takes.NEITHER, config()::stsTimeout),
                option(
                        "RevocationStore.cached",
                        "keepFor",
                        Takes.NEITHER,
                        keepFor -> RevocationStore.cached(InMemoryRevocationStore.create(), keepFor)),
                option("InMemoryRevocationStore.revoke", "keepFor", Takes.THE_SHORTEST, keepFor -> {
                    InMemoryRevocationStore memory = InMemoryRevocationStore.create();
                    memory.revoke("id", keepFor);
                    return memory;
                }),
                option(
                        "NettyHttpTransport$Builder.acquireTimeout",
                        "acquireTimeout",
                        Takes.NEITHER,
                        NettyHttpTransport.builder()::acquireTimeout),
                option(
                        "RedisRevocationStore.revoke",
                        "keepFor",
                        Takes.NEITHER,
                        keepFor -> store.revoke(List.of("id"), keepFor)),
                option(
                        "RedisRevocationStore.raiseDelegationEpoch",
                        "keepFor",
                        Takes.NEITHER,
                        keepFor -> store.raiseDelegationEpoch("zone", "1", keepFor)),
                option(
                        "RevocationConsumer$Builder.pollInterval",
                        "pollInterval",
                        Takes.NEITHER,
                        RevocationConsumer.sharing(store, "one")::pollInterval),
                option(
                        "RevocationConsumer$Builder.blindLimit",
                        "blindLimit",
                        Takes.NEITHER,
                        RevocationConsumer.sharing(store, "one")::blindLimit));
    }

    private static CaracalConfig.Builder config() {
        return CaracalConfig.builder().zoneId("zone").applicationId("app").clientSecret("secret");
    }

    /** Options are checked before anything is sent. */
    @SuppressWarnings("unchecked")
    private static RedisClusterReactiveCommands<String, String> unconnected() {
        return (RedisClusterReactiveCommands<String, String>) Proxy.newProxyInstance(
                RedisClient.class.getClassLoader(),
                new Class<?>[] {RedisClusterReactiveCommands.class},
                (proxy, method, arguments) -> {
                    throw new UnsupportedOperationException(method.getName());
                });
    }

    Stream<Arguments> refused() {
        return each(option -> Stream.concat(
                Stream.of(Duration.ZERO, NANOSECOND.negated(), FOREVER.negated()),
                switch (option.takes()) {
                    case NEITHER -> Stream.of(NANOSECOND, AGES, FOREVER);
                    case THE_SHORTEST -> Stream.of(AGES, FOREVER);
                    case BOTH -> Stream.<Duration>empty();
                }));
    }

    Stream<Arguments> taken() {
        return each(option -> switch (option.takes()) {
            case NEITHER -> Stream.<Duration>empty();
            case THE_SHORTEST -> Stream.of(NANOSECOND);
            case BOTH -> Stream.of(NANOSECOND, AGES, FOREVER);
        });
    }

    private Stream<Arguments> each(Function<Option, Stream<Duration>> times) {
        return options().stream().flatMap(option -> times.apply(option).map(time -> Arguments.of(option, time)));
    }

    @ParameterizedTest
    @MethodSource
    void refused(Option option, Duration time) {
        assertThatThrownBy(() -> option.set().apply(time))
                .satisfies(e -> assertThat(e.getClass().getName())
                        .isIn(IllegalArgumentException.class.getName(), ConfigurationException.class.getName()))
                .hasMessageContaining(option.argument())
                .hasMessageContaining(time.toString());
    }

    @ParameterizedTest
    @MethodSource
    void taken(Option option, Duration time) {
        assertThat(option.set().apply(time)).isNotNull();
    }

    @Test
    void noOptionIsMissing() {
        JavaClasses library = new ClassFileImporter()
                .importUrls(Stream.of(Caracal.class, CaracalHttp.class)
                        .map(type -> type.getProtectionDomain().getCodeSource().getLocation())
                        .toList());
        Set<String> methods = library.stream()
                .filter(DurationOptionsTest::isPublic)
                .flatMap(type -> type.getMethods().stream())
                .filter(method -> method.getModifiers().contains(JavaModifier.PUBLIC)
                        && method.getRawParameterTypes().stream().anyMatch(type -> type.isEquivalentTo(Duration.class)))
                .map(DurationOptionsTest::name)
                .collect(Collectors.toSet());
        assertThat(options().stream().map(Option::method)).containsAll(methods);
    }

    private static boolean isPublic(JavaClass type) {
        return type.getModifiers().contains(JavaModifier.PUBLIC)
                && !type.getPackageName().contains(".internal")
                && (type.getEnclosingClass().isEmpty()
                        || isPublic(type.getEnclosingClass().get()));
    }

    private static String name(JavaMethod method) {
        String owner = method.getOwner().getName();
        return owner.substring(owner.lastIndexOf('.') + 1) + "." + method.getName();
    }
}
