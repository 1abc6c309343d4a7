"""The published Python package beside this library, on one Redis."""
import os

import redis
from caracalai_revocation_redis import RedisRevocationConsumer, RedisRevocationStore

connection = redis.Redis.from_url(os.environ["REDIS_UNDER_TEST"])
store = RedisRevocationStore(connection)
print("sees", store.is_revoked("by-java"), store.is_revoked("nobody"), store.current_delegation_epoch("zone-java"))

store.mark_revoked("by-python")
store.mark_delegation_epoch("zone-python", 7)
store.mark_delegation_epoch("zone-java", 3)

consumer = RedisRevocationConsumer(
    connection, store, "python", block_ms=1, stream_hmac_key=bytes.fromhex(os.environ["HMAC_KEY"])
)
consumer.ensure_group()
print("handled", consumer.poll_once(), store.is_revoked("by-stream"))
