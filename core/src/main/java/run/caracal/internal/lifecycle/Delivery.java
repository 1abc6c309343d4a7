package run.caracal.internal.lifecycle;

import java.util.concurrent.atomic.AtomicReference;
import org.jspecify.annotations.Nullable;
import org.reactivestreams.Subscription;
import reactor.core.CoreSubscriber;
import reactor.util.context.Context;

/**
 * Decides whether a resource was delivered: if the subscriber cancels before it has received the resource, the resource
 * is taken back; if it cancels later, or while receiving, the subscriber owns it.
 */
final class Delivery<A> implements CoreSubscriber<A>, Subscription {
    private enum State {
        AWAITED,
        DELIVERING,
        DELIVERED,
        CANCELLED
    }

    private final CoreSubscriber<? super A> actual;
    private final Runnable takeBack;
    private final AtomicReference<State> state = new AtomicReference<>(State.AWAITED);
    private @Nullable Subscription upstream;
    private volatile @Nullable Thread deliveringThread;

    Delivery(CoreSubscriber<? super A> actual, Runnable takeBack) {
        this.actual = actual;
        this.takeBack = takeBack;
    }

    @Override
    public Context currentContext() {
        return actual.currentContext();
    }

    @Override
    public void onSubscribe(Subscription s) {
        upstream = s;
        actual.onSubscribe(this);
    }

    @Override
    public void onNext(A handle) {
        deliveringThread = Thread.currentThread();
        if (!state.compareAndSet(State.AWAITED, State.DELIVERING)) {
            // Cancelled: the canceller takes it back.
            return;
        }
        actual.onNext(handle);
        if (!state.compareAndSet(State.DELIVERING, State.DELIVERED)) {
            takeBack.run();
        }
    }

    @Override
    public void onError(Throwable error) {
        // After a cancellation the canceller reports the error, instead of dropping it; there is nothing to take back,
        // because nothing was opened.
        if (state.compareAndSet(State.AWAITED, State.DELIVERED) || state.get() != State.CANCELLED) {
            actual.onError(error);
        }
    }

    @Override
    public void onComplete() {
        if (state.get() != State.CANCELLED) {
            actual.onComplete();
        }
    }

    @Override
    public void request(long n) {
        Subscription s = upstream;
        if (s != null) {
            s.request(n);
        }
    }

    @Override
    public void cancel() {
        if (state.compareAndSet(State.AWAITED, State.CANCELLED)) {
            Subscription s = upstream;
            if (s != null) {
                s.cancel();
            }
            takeBack.run();
        } else if (Thread.currentThread() != deliveringThread) {
            // A concurrent cancel during the delivery: it is unknown whether the resource arrived, so the deliverer
            // takes it back.
            state.compareAndSet(State.DELIVERING, State.CANCELLED);
        }
    }
}
