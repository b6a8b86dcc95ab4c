"""The control plane over Redis: one round trip a cycle, a lease, and wake-ups.

redis-py's defaults retry ten times with time-outs of five seconds, which takes a minute
on a server that accepts and never answers, and send a write twice when the reply is
lost. Here a request has two seconds, one more try, and every write may be repeated.
Works with Redis 5 and later, with the seed's four keys alone, and with fakeredis.
"""

from __future__ import annotations

from runner.adapters.redis_control.control import RedisControl
from runner.adapters.redis_control.wake_ups import RedisTiming

__all__ = ["RedisControl", "RedisTiming"]
