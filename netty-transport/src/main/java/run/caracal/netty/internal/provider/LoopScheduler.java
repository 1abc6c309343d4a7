package run.caracal.netty.internal.provider;

import io.netty.channel.EventLoop;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import reactor.core.Disposable;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;

/** Schedules on an event loop, or on another scheduler once the application has replaced that loop. */
final class LoopScheduler implements Scheduler {
    private final EventLoop loop;
    private final Scheduler now;
    private final Scheduler later;
    private final Scheduler instead;

    LoopScheduler(EventLoop loop, Scheduler instead) {
        this.loop = loop;
        this.instead = instead;
        // Of an executor that only executes, for which a task takes less memory.
        this.now = Schedulers.fromExecutor(task -> {
            try {
                loop.execute(task);
            } catch (RejectedExecutionException e) {
                var unused = instead.schedule(task);
            }
        });
        this.later = Schedulers.fromExecutorService(loop, "caracal-callers");
    }

    @Override
    public Disposable schedule(Runnable task) {
        return now.schedule(task);
    }

    @Override
    public Disposable schedule(Runnable task, long delay, TimeUnit unit) {
        // A loop that shuts down drops its timers without a word.
        if (loop.isShuttingDown()) {
            return instead.schedule(task, delay, unit);
        }
        try {
            return later.schedule(task, delay, unit);
        } catch (RejectedExecutionException e) {
            return instead.schedule(task, delay, unit);
        }
    }

    @Override
    public Worker createWorker() {
        return now.createWorker();
    }
}
