"""The account's lease: compare-and-set in Lua, and who the holder is."""

from __future__ import annotations

from runner.ports import LeaseHolder
from runner.wire import keys

ACQUIRE = """
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return {0, holder} end
local epoch = holder and redis.call('GET', KEYS[2])
if not epoch then epoch = redis.call('INCR', KEYS[2]) end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return {1, tostring(epoch)}
"""
# A lease that has vanished is taken again only if nobody had it in between.
RENEW = """
local holder = redis.call('GET', KEYS[1])
local epoch = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then return 0 end
if not holder and epoch and epoch ~= ARGV[4] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[3])
return 1
"""
RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


def script(text: str, account: str, session: str, epoch: int) -> tuple[str | int, ...]:
    """Return the command that runs one of the scripts.

    EVAL and not EVALSHA: a server that forgot a script answers an error, after which
    fakeredis closes the connection.
    """
    lease, counter = keys.lease(account), keys.epoch(account)
    ttl = keys.LEASE_TTL * 1000
    return "EVAL", text, 2, lease, counter, session, ttl, keys.EPOCH_TTL, epoch


def holder(session: str) -> LeaseHolder:
    """Read who holds a lease out of a session that reads ``HOST:PID:MARK``."""
    host, _, rest = session.partition(":")
    pid = rest.partition(":")[0]
    if pid.isdigit():
        return LeaseHolder(session=session, host=host, pid=int(pid))
    return LeaseHolder(session=session)


def is_of_predecessor(held: str, session: str) -> bool:
    """Tell whether a lease is held by a dead predecessor of *session*.

    A supervisor gives all the workers that it starts for an account one mark, and
    starts one only when it has seen the last one end. Sessions of one host and mark
    that differ in the process are therefore never alive at the same time.
    """
    host, _, rest = held.partition(":")
    own_host, _, own_rest = session.partition(":")
    mark, own_mark = rest.partition(":")[2], own_rest.partition(":")[2]
    return held != session and host == own_host and bool(mark) and mark == own_mark
