package run.caracal.platform;

import java.time.Duration;

/** A caller's idempotency key, its retention, and the parts of its identity besides the request. */
record IdempotencyKey(String value, Duration retention, String callerApplicationId, String callerSubject) {}
