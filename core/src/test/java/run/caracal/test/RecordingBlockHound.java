package run.caracal.test;

import reactor.blockhound.BlockHound;
import reactor.blockhound.BlockingOperationError;
import reactor.blockhound.integration.BlockHoundIntegration;

/** Records a blocking call, and then refuses it: an error that somebody swallows is seen nevertheless. */
public final class RecordingBlockHound implements BlockHoundIntegration {

    /** For {@link java.util.ServiceLoader}. */
    public RecordingBlockHound() {}

    @Override
    public void applyTo(BlockHound.Builder builder) {
        builder.blockingMethodCallback(method -> {
            BlockingOperationError error = new BlockingOperationError(method);
            Hygiene.blocked(error);
            throw error;
        });
        // As Reactor allows its other tasks: the queue of an executor is taken out of under a lock.
        builder.allowBlockingCallsInside("reactor.core.scheduler.PeriodicWorkerTask", "dispose");
        builder.allowBlockingCallsInside("reactor.core.scheduler.PeriodicSchedulerTask", "dispose");
        // A task for an executor that is being shut down is taken back likewise.
        builder.allowBlockingCallsInside("java.util.concurrent.ThreadPoolExecutor", "tryTerminate");
        // Netty's allocator hands its magazines from thread to thread under a lock, for the time of a few instructions.
        for (String method : new String[] {"allocate", "reallocate", "free"}) {
            builder.allowBlockingCallsInside("io.netty.buffer.AdaptivePoolingAllocator", method);
        }
        builder.allowBlockingCallsInside("io.netty.buffer.AdaptivePoolingAllocator$MagazineGroup", "allocate");
        builder.allowBlockingCallsInside("io.netty.buffer.AdaptivePoolingAllocator$AdaptiveByteBuf", "deallocate");
        // Lettuce makes its SSLContext, for which the JDK reads a seed, where it connects.
        builder.allowBlockingCallsInside("io.lettuce.core.SslConnectionBuilder$SslChannelInitializer", "initChannel");
    }
}
