package run.caracal.boot;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;
import org.springframework.aot.generate.ClassNameGenerator;
import org.springframework.aot.generate.DefaultGenerationContext;
import org.springframework.aot.generate.GeneratedFiles;
import org.springframework.aot.generate.InMemoryGeneratedFiles;
import org.springframework.aot.hint.MemberCategory;
import org.springframework.aot.hint.RuntimeHints;
import org.springframework.aot.hint.predicate.RuntimeHintsPredicates;
import org.springframework.boot.test.util.TestPropertyValues;
import org.springframework.boot.web.context.reactive.GenericReactiveWebApplicationContext;
import org.springframework.context.annotation.AnnotatedBeanDefinitionReader;
import org.springframework.context.aot.ApplicationContextAotGenerator;
import org.springframework.javapoet.ClassName;
import run.caracal.netty.internal.provider.NettyHttpTransportProvider;

/** Ahead-of-time processing of the auto-configuration, for native images. */
class AheadOfTimeTest {

    @Test
    void theContextIsProcessedAndItsHintsAreComplete() {
        GenericReactiveWebApplicationContext context = new GenericReactiveWebApplicationContext();
        new AnnotatedBeanDefinitionReader(context).register(Contexts.Ours.class);
        TestPropertyValues.of("caracal.protected-resource=resource://orders").applyTo(context);
        InMemoryGeneratedFiles files = new InMemoryGeneratedFiles();
        DefaultGenerationContext generation =
                new DefaultGenerationContext(new ClassNameGenerator(ClassName.get(AheadOfTimeTest.class)), files);
        ClassName initializer = new ApplicationContextAotGenerator().processAheadOfTime(context, generation);
        generation.writeGeneratedContent();

        assertThat(files.getGeneratedFiles(GeneratedFiles.Kind.SOURCE))
                .containsKey(initializer.canonicalName().replace('.', '/') + ".java")
                .anySatisfy((name, source) -> assertThat(name).contains("CaracalInboundAutoConfiguration"));
        RuntimeHints hints = generation.getRuntimeHints();
        assertThat(RuntimeHintsPredicates.resource()
                        .forResource("META-INF/services/run.caracal.http.HttpTransportProvider"))
                .accepts(hints);
        assertThat(RuntimeHintsPredicates.reflection()
                        .onType(NettyHttpTransportProvider.class)
                        .withMemberCategory(MemberCategory.INVOKE_PUBLIC_CONSTRUCTORS))
                .accepts(hints);
        for (Class<?> bound : new Class<?>[] {
            CaracalProperties.class,
            CaracalProperties.Binding.class,
            CaracalHealthProperties.class,
            CaracalInboundProperties.class,
            CaracalInboundProperties.Route.class,
            CaracalInboundProperties.Redis.class
        }) {
            assertThat(RuntimeHintsPredicates.reflection().onConstructorInvocation(bound.getDeclaredConstructors()[0]))
                    .as(bound.getName())
                    .accepts(hints);
        }
        context.close();
    }
}
