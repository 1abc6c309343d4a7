package run.caracal.boot;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Injects the verified caller of a request into a method of a WebFlux controller: its {@link
 * run.caracal.verify.VerifiedMandate}, or the bound {@link run.caracal.CaracalContext}.
 *
 * <pre>
 * &#64;GetMapping("/invoices")
 * Flux&lt;Invoice&gt; invoices(&#64;CurrentCaller VerifiedMandate caller) { ... }
 * </pre>
 */
@Documented
@Target(ElementType.PARAMETER)
@Retention(RetentionPolicy.RUNTIME)
public @interface CurrentCaller {

    /**
     * Whether a request without a verified caller is rejected with 401.
     *
     * @return true by default; if false, the argument of such a request is {@code null}
     */
    boolean required() default true;
}
