package run.caracal.platform;

import java.time.Duration;

/** The key a caller sent, how long it is remembered, and what it stands for beside the request itself. */
record IdempotencyKey(String value, Duration retention, String callerApplicationId, String callerSubject) {}
