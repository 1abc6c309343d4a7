package run.caracal.boot;

import java.util.Objects;
import java.util.Optional;
import org.springframework.core.MethodParameter;
import org.springframework.http.HttpStatus;
import org.springframework.web.reactive.BindingContext;
import org.springframework.web.reactive.result.method.HandlerMethodArgumentResolver;
import org.springframework.web.server.ResponseStatusException;
import org.springframework.web.server.ServerWebExchange;
import reactor.core.publisher.Mono;
import run.caracal.CaracalContext;
import run.caracal.verify.VerifiedMandate;

/** Resolves arguments annotated with {@link CurrentCaller}. */
final class CurrentCallerResolver implements HandlerMethodArgumentResolver {

    @Override
    public boolean supportsParameter(MethodParameter parameter) {
        Class<?> type = parameter.getParameterType();
        return parameter.hasParameterAnnotation(CurrentCaller.class)
                && (type == VerifiedMandate.class || type == CaracalContext.class);
    }

    @Override
    public Mono<Object> resolveArgument(MethodParameter parameter, BindingContext binding, ServerWebExchange exchange) {
        boolean mandate = parameter.getParameterType() == VerifiedMandate.class;
        boolean required = Objects.requireNonNull(parameter.getParameterAnnotation(CurrentCaller.class))
                .required();
        return Mono.deferContextual(view -> {
            Optional<CaracalContext> bound = CaracalContext.from(view);
            Optional<?> caller = mandate ? bound.flatMap(CaracalContext::verifiedMandate) : bound;
            return caller.isEmpty() && required
                    ? Mono.error(
                            new ResponseStatusException(HttpStatus.UNAUTHORIZED, "The request has no verified caller"))
                    : Mono.<Object>justOrEmpty(caller);
        });
    }
}
