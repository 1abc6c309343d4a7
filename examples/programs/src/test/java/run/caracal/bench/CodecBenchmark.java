package run.caracal.bench;

import io.opentelemetry.api.baggage.propagation.W3CBaggagePropagator;
import io.opentelemetry.api.trace.propagation.W3CTraceContextPropagator;
import io.opentelemetry.context.Context;
import io.opentelemetry.context.propagation.TextMapPropagator;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import run.caracal.internal.propagation.Envelope;

/** The envelope codec against OpenTelemetry's W3C propagators, reading and writing the same headers on the same carrier. */
@State(Scope.Benchmark)
public class CodecBenchmark {
    private final TextMapPropagator otel =
            TextMapPropagator.composite(W3CTraceContextPropagator.getInstance(), W3CBaggagePropagator.getInstance());
    private final Carrier received = new Carrier();
    private final Envelope envelope;
    private final Context context;

    public CodecBenchmark() {
        received.set("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
        received.set(
                "baggage",
                "caracal.agent_session=01a1ffea-5c1b-7b62-8c02-6a1de7c2a4ce,"
                        + "caracal.delegation_edge=01a1ffea-5c1b-7b62-8c02-6a1de7c2a4cf,caracal.hop=1,"
                        + "caracal.session=01a1ffea-5c1b-7b62-8c02-6a1de7c2a4d0,tenant=blue,user=alice%20smith");
        envelope = Envelope.decode(received.received()::getAll);
        context = otel.extract(Context.root(), received, Carrier.GETTER);
    }

    /** A service between two others: decodes the inbound headers and encodes them onto the outbound request. */
    @Benchmark
    public Carrier throughCaracal() {
        Carrier sent = new Carrier();
        Envelope.decode(received::getAll).encode(sent);
        return sent;
    }

    @Benchmark
    public Carrier throughOtel() {
        Carrier sent = new Carrier();
        otel.inject(otel.extract(Context.root(), received, Carrier.GETTER), sent, Carrier.SETTER);
        return sent;
    }

    /** A context that is bound once and written onto every request. */
    @Benchmark
    public Carrier encodeCaracal() {
        Carrier sent = new Carrier();
        envelope.encode(sent);
        return sent;
    }

    @Benchmark
    public Carrier encodeOtel() {
        Carrier sent = new Carrier();
        otel.inject(context, sent, Carrier.SETTER);
        return sent;
    }

    @Benchmark
    public Envelope decodeCaracal() {
        return Envelope.decode(received::getAll);
    }

    @Benchmark
    public Context decodeOtel() {
        return otel.extract(Context.root(), received, Carrier.GETTER);
    }
}
