package run.caracal.boot;

import java.lang.annotation.Documented;
import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Hands the proven caller of a request to a method of a WebFlux controller: its {@link run.caracal.verify.VerifiedMandate}, or
 * the {@link run.caracal.CaracalContext} that is bound.
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
     * Whether a request without a proven caller is answered with 401.
     *
     * @return by default; otherwise the argument is {@code null} for such a request
     */
    boolean required() default true;
}
