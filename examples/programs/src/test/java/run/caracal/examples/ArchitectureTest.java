package run.caracal.examples;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.assignableTo;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;
import static org.assertj.core.api.Assertions.assertThat;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaAccess;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaCodeUnit;
import com.tngtech.archunit.core.domain.JavaField;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.domain.JavaType;
import com.tngtech.archunit.core.domain.JavaTypeVariable;
import com.tngtech.archunit.core.domain.properties.HasModifiers;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.Location;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.junit.LocationProvider;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ArchRule;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.net.URI;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.reactivestreams.Publisher;
import reactor.core.Disposable;
import reactor.core.publisher.Hooks;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Schedulers;
import run.caracal.Caracal;
import run.caracal.netty.CaracalHttp;
import run.caracal.platform.LocalPlatform;

/** Rules that no compiler checks: dependencies of packages, types on public signatures, and banned operators. */
@AnalyzeClasses(locations = ArchitectureTest.Modules.class)
class ArchitectureTest {

    /** Core, the transport and the local platform, without their tests. */
    static final class Modules implements LocationProvider {
        @Override
        public Set<Location> get(Class<?> testClass) {
            return Stream.of(Caracal.class, CaracalHttp.class, LocalPlatform.class)
                    .map(type -> Location.of(
                            type.getProtectionDomain().getCodeSource().getLocation()))
                    .collect(Collectors.toSet());
        }
    }

    private static final DescribedPredicate<JavaClass> LIBRARY =
            DescribedPredicate.not(resideInAPackage("run.caracal.platform..")).as("classes of the library");

    private static final DescribedPredicate<JavaClass> INTERNAL = resideInAPackage("run.caracal..internal..");

    @ArchTest
    static final ArchRule packagesHaveNoCycles =
            slices().assignedFrom(new PackageSlices()).should().beFreeOfCycles();

    /** The root package is the facade over the internals; the other public packages hold the values that users pass to both. */
    @ArchTest
    static final ArchRule internalsDoNotKnowTheFacade = noClasses()
            .that(resideInAPackage("run.caracal.internal.."))
            .should()
            .dependOnClassesThat()
            .resideInAPackage("run.caracal");

    @ArchTest
    static final ArchRule noPackageIsSharedBetweenJars = classes().should(new StandInOneJarByPackage());

    @ArchTest
    static final ArchRule thePublicApiShowsNothingInternal =
            classes().that(new IsApi()).should(new ShowNo(INTERNAL.as("internal type")));

    @ArchTest
    static final ArchRule thePublicApiOfCoreShowsNoLibraryInside = classes()
            .that(new IsApi())
            .and(DescribedPredicate.not(
                    resideInAnyPackage("run.caracal.netty..", "run.caracal.webflux..", "run.caracal.platform..")))
            .should(new ShowNo(resideInAnyPackage(
                            "tools.jackson..",
                            "com.nimbusds..",
                            "com.fasterxml..",
                            "org.tomlj..",
                            "io.netty..",
                            "reactor.netty..")
                    .as("parser, HTTP client or JOSE library")));

    @ArchTest
    static final ArchRule theStreamingParserIsEnough = noClasses()
            .should()
            .dependOnClassesThat()
            .resideInAnyPackage("com.fasterxml.jackson..", "tools.jackson.databind..");

    /** Except on the thread that starts an application, which needs the result. */
    @ArchTest
    static final ArchRule nothingBlocks = noClasses()
            .that(LIBRARY.and(not(nameMatching("run\\.caracal\\.boot\\.StartCheck"))))
            .should()
            .accessTargetWhere(member(Publisher.class, "block.*|toIterable|toStream|toFuture"))
            .orShould()
            .accessTargetWhere(member("reactor.netty..", ".*Now"))
            .orShould()
            .accessTargetWhere(member(Thread.class, "sleep|join"));

    @ArchTest
    static final ArchRule cleanupSeesCancellation = noClasses()
            .that(LIBRARY)
            .should()
            .accessTargetWhere(member(Publisher.class, "doOnTerminate|doAfterTerminate"));

    @ArchTest
    static final ArchRule theOperatorsOfOthersAreLeftAlone =
            noClasses().that(LIBRARY).should().accessTargetWhere(member(Publisher.class, "onErrorContinue"));

    @ArchTest
    static final ArchRule globalSwitchesBelongToTheApplication =
            noClasses().that(LIBRARY).should().dependOnClassesThat().areAssignableTo(Hooks.class);

    @ArchTest
    static final ArchRule everySubscriptionHandlesItsError = noClasses()
            .that(LIBRARY)
            .should()
            .accessTargetWhere(member(Publisher.class, "subscribe").and(new DescribedPredicate<>("without arguments") {
                @Override
                public boolean test(JavaAccess<?> access) {
                    return access.getTarget().getFullName().endsWith("subscribe()");
                }
            }));

    @ArchTest
    static final ArchRule noPoolOfThreadsIsMade = noClasses()
            .that(LIBRARY)
            .should()
            .accessTargetWhere(member(Schedulers.class, "newParallel|newElastic|newBoundedElastic"));

    /** Only the accessor exposes the context as a thread-local. */
    @ArchTest
    static final ArchRule noStateOfThreads = noClasses()
            .that(LIBRARY)
            .and()
            .doNotHaveSimpleName("CaracalContextAccessor")
            .should()
            .dependOnClassesThat(
                    assignableTo(ThreadLocal.class).or(assignableTo("io.netty.util.concurrent.FastThreadLocal")));

    @ArchTest
    static final ArchRule nothingIsPrinted = noClasses()
            .that(LIBRARY)
            .should()
            .accessTargetWhere(member(System.class, "out|err"))
            .orShould()
            .accessTargetWhere(member(Throwable.class, "printStackTrace"));

    /** One violation of each rule, by call and by method reference. */
    static final class Offences {
        private static final ThreadLocal<String> STATE = new ThreadLocal<>();

        static Object commit(Mono<String> mono) throws InterruptedException {
            Hooks.onOperatorDebug();
            Thread.sleep(1);
            System.out.println(STATE.get());
            Disposable started =
                    mono.doOnTerminate(() -> {}).onErrorContinue((e, o) -> {}).subscribe();
            Function<Mono<String>, @Nullable String> wait = Mono::block;
            return List.of(started, wait, Schedulers.newParallel("pool"));
        }
    }

    @Test
    void everyRuleAboutCodeFindsAnOffence() {
        JavaClasses offences = new ClassFileImporter().importClasses(Offences.class);
        assertThat(List.of(
                        nothingBlocks,
                        cleanupSeesCancellation,
                        theOperatorsOfOthersAreLeftAlone,
                        globalSwitchesBelongToTheApplication,
                        everySubscriptionHandlesItsError,
                        noPoolOfThreadsIsMade,
                        noStateOfThreads,
                        nothingIsPrinted))
                .allSatisfy(rule -> assertThat(rule.evaluate(offences).hasViolation())
                        .as(rule.getDescription())
                        .isTrue());
        // Two violations: the sleep, and the reference to block.
        assertThat(nothingBlocks.evaluate(offences).getFailureReport().getDetails())
                .hasSize(2);
    }

    private static DescribedPredicate<JavaAccess<?>> member(Class<?> owner, String names) {
        return member(assignableTo(owner).as(owner.getSimpleName()), names);
    }

    private static DescribedPredicate<JavaAccess<?>> member(String packages, String names) {
        return member(resideInAPackage(packages).as(packages), names);
    }

    private static DescribedPredicate<JavaAccess<?>> member(DescribedPredicate<JavaClass> owner, String names) {
        Pattern pattern = Pattern.compile(names);
        return new DescribedPredicate<>("%s.(%s)", owner.getDescription(), names) {
            @Override
            public boolean test(JavaAccess<?> access) {
                return pattern.matcher(access.getName()).matches() && owner.test(access.getTargetOwner());
            }
        };
    }

    private static final class PackageSlices implements SliceAssignment {
        @Override
        public SliceIdentifier getIdentifierOf(JavaClass type) {
            return SliceIdentifier.of(type.getPackageName());
        }

        @Override
        public String getDescription() {
            return "every package";
        }
    }

    private static final class StandInOneJarByPackage extends ArchCondition<JavaClass> {
        private final Map<String, Set<URI>> jars = new HashMap<>();

        StandInOneJarByPackage() {
            super("stand in the one jar of their package");
        }

        @Override
        public void init(Collection<JavaClass> all) {
            jars.clear();
            all.forEach(type -> jars.computeIfAbsent(type.getPackageName(), name -> new HashSet<>())
                    .add(jar(type)));
        }

        @Override
        public void check(JavaClass type, ConditionEvents events) {
            Set<URI> shared = jars.getOrDefault(type.getPackageName(), Set.of());
            events.add(new SimpleConditionEvent(
                    type, shared.size() == 1, type.getFullName() + " shares its package: " + shared));
        }

        private static URI jar(JavaClass type) {
            String file = type.getSource().orElseThrow().getUri().toString();
            String inside = type.getFullName().replace('.', '/') + ".class";
            return URI.create(file.substring(0, file.length() - inside.length()));
        }
    }

    /** Public, with all enclosing types, and not in an internal package. */
    private static final class IsApi extends DescribedPredicate<JavaClass> {
        IsApi() {
            super("are public API");
        }

        @Override
        public boolean test(JavaClass type) {
            return !INTERNAL.test(type)
                    && isVisible(type)
                    && type.getEnclosingClass().map(this::test).orElse(true);
        }
    }

    private static boolean isVisible(HasModifiers element) {
        Set<JavaModifier> modifiers = element.getModifiers();
        return !modifiers.contains(JavaModifier.SYNTHETIC)
                && (modifiers.contains(JavaModifier.PUBLIC) || modifiers.contains(JavaModifier.PROTECTED));
    }

    /** Includes type arguments, bounds and exceptions. */
    private static final class ShowNo extends ArchCondition<JavaClass> {
        private final DescribedPredicate<JavaClass> hidden;

        ShowNo(DescribedPredicate<JavaClass> hidden) {
            super("show no %s", hidden.getDescription());
            this.hidden = hidden;
        }

        @Override
        public void check(JavaClass type, ConditionEvents events) {
            check(type, type.getFullName(), declared(type), events);
            for (JavaMember member : type.getMembers()) {
                if (isVisible(member)) {
                    check(type, member.getFullName(), declared(member), events);
                }
            }
        }

        private static Stream<JavaType> declared(JavaClass type) {
            return Stream.of(
                            type.getSuperclass().stream(),
                            type.getInterfaces().stream(),
                            bounds(type.getTypeParameters()))
                    .flatMap(types -> types);
        }

        private static Stream<JavaType> declared(JavaMember member) {
            if (member instanceof JavaCodeUnit unit) {
                return Stream.of(
                                Stream.of(unit.getReturnType()),
                                unit.getParameterTypes().stream(),
                                unit.getExceptionTypes().stream(),
                                bounds(unit.getTypeParameters()))
                        .flatMap(types -> types);
            }
            return Stream.of(((JavaField) member).getType());
        }

        private static Stream<JavaType> bounds(Collection<? extends JavaTypeVariable<?>> variables) {
            return variables.stream().flatMap(variable -> variable.getUpperBounds().stream());
        }

        private void check(JavaClass type, String place, Stream<JavaType> shown, ConditionEvents events) {
            Set<JavaClass> found = shown.flatMap(one -> one.getAllInvolvedRawTypes().stream())
                    .filter(hidden)
                    .collect(Collectors.toSet());
            events.add(new SimpleConditionEvent(type, found.isEmpty(), place + " shows " + found));
        }
    }
}
