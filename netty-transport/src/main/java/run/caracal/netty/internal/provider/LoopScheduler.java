package run.caracal.netty.internal.provider;

import io.netty.channel.EventLoop;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import reactor.core.Disposable;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** Schedules on an event loop, and once that has ended, because an application has replaced it, on another thread. */
final class LoopScheduler implements Scheduler {
    private final Scheduler loop;
    private final Scheduler instead;

    LoopScheduler(EventLoop loop, Scheduler instead) {
        this.loop = Schedulers.fromExecutorService(loop, "caracal-callers");
        this.instead = instead;
    }

    @Override
    public Disposable schedule(Runnable task) {
        try {
            return loop.schedule(task);
        } catch (RejectedExecutionException e) {
            return instead.schedule(task);
        }
    }

    @Override
    public Disposable schedule(Runnable task, long delay, TimeUnit unit) {
        try {
            return loop.schedule(task, delay, unit);
        } catch (RejectedExecutionException e) {
            return instead.schedule(task, delay, unit);
        }
    }

    @Override
    public Worker createWorker() {
        return loop.createWorker();
    }
}
