package run.caracal.test;

import reactor.blockhound.BlockHound;
import reactor.blockhound.BlockingOperationError;
import reactor.blockhound.integration.BlockHoundIntegration;

/** Records a blocking call, and then rejects it, so that a swallowed error is seen nevertheless. */
public final class RecordingBlockHound implements BlockHoundIntegration {

    /** For {@link java.util.ServiceLoader}. */
    public RecordingBlockHound() {}

    @Override
    public void applyTo(BlockHound.Builder builder) {
        builder.blockingMethodCallback(method -> {
            BlockingOperationError error = new BlockingOperationError(method);
            if (!isLockOfALibrary(error.getStackTrace())) {
                Hygiene.blocked(error);
                throw error;
            }
        });
        // Netty's allocator hands its magazines from thread to thread under a lock, for the time of a few instructions.
        for (String method : new String[] {"allocate", "reallocate", "free"}) {
            builder.allowBlockingCallsInside("io.netty.buffer.AdaptivePoolingAllocator", method);
        }
        builder.allowBlockingCallsInside("io.netty.buffer.AdaptivePoolingAllocator$MagazineGroup", "allocate");
        builder.allowBlockingCallsInside("io.netty.buffer.AdaptivePoolingAllocator$AdaptiveByteBuf", "deallocate");
        // Lettuce makes its SSLContext, for which the JDK reads a seed, where it connects.
        builder.allowBlockingCallsInside("io.lettuce.core.SslConnectionBuilder$SslChannelInitializer", "initChannel");
    }

    /**
     * Whether a library waits for a lock of its own: the queue of an executor, or the writers of a Redis connection, which
     * are held for a few instructions. Refused, they would be left in a state that the library never leaves.
     */
    private static boolean isLockOfALibrary(StackTraceElement[] stack) {
        for (int i = 0; i < stack.length - 1; i++) {
            if (stack[i].getClassName().equals("java.util.concurrent.locks.ReentrantLock")
                    && stack[i].getMethodName().equals("lock")) {
                return !stack[i + 1].getClassName().startsWith("run.caracal.");
            }
        }
        return false;
    }
}
