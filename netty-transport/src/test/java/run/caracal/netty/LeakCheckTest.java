package run.caracal.netty;

import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.PooledByteBufAllocator;
import io.netty.util.LeakPresenceDetector;
import org.junit.jupiter.api.Test;

/** The buffer check that holds for all tests here, itself: a leak is seen. */
class LeakCheckTest {

    @Test
    void aLeakedBufferIsSeen() {
        ByteBuf leaked = PooledByteBufAllocator.DEFAULT.buffer();
        try {
            assertThatThrownBy(LeakPresenceDetector::check)
                    .isInstanceOf(IllegalStateException.class)
                    .hasMessageContaining("memory leak");
        } finally {
            leaked.release();
            // The detector has forgotten the buffer when it reported it; that it was released after all is an error
            // too.
            assertThatThrownBy(LeakPresenceDetector::check).hasMessageContaining("negative");
        }
    }
}
