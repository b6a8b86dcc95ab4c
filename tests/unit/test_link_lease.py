"""Whether the lease is ours: told in time, without asking a network."""

from __future__ import annotations

from runner.link.events import LeaseChanged
from runner.link.lease import Lease
from runner.ports import LeaseHolder

OTHER = LeaseHolder(session="other:7:x", host="other", pid=7)


def test_self_fence() -> None:
    """Scenario self-fence: lost before another may start, said once."""
    lease = Lease(give_up=60.0)
    lease.acquire(3, at=100.0)

    assert lease.lapse(160.0) is None
    assert LeaseChanged(held=False) == lease.lapse(160.1)
    assert lease.lapse(999.0) is None


def test_a_renewal_in_time_keeps_it() -> None:
    """The time counts from when the renewal was asked for, not from its answer."""
    lease = Lease(give_up=60.0)
    lease.acquire(3, at=100.0)

    assert lease.renew(150.0) is None
    assert lease.lapse(210.0) is None
    assert LeaseChanged(held=False) == lease.lapse(210.5)


def test_a_renewal_after_a_lapse_wins_it_back() -> None:
    """Nobody took it in the meantime: the same fencing number goes on."""
    lease = Lease(give_up=60.0)
    lease.acquire(3, at=100.0)
    lease.lapse(170.0)

    assert LeaseChanged(held=True, epoch=3) == lease.renew(180.0)


def test_takeover() -> None:
    """Scenario takeover: who lost it to another has no fencing number any more."""
    lease = Lease(give_up=60.0)
    lease.acquire(3, at=100.0)

    assert LeaseChanged(held=False, holder=OTHER) == lease.lose(OTHER)
    assert lease.lose(OTHER) is None
    assert not lease.may_write
    assert lease.epoch is None
    assert lease.renew(110.0) is None
    assert LeaseChanged(held=True, epoch=4) == lease.acquire(4, at=120.0)
    assert lease.may_write


def test_no_lease_no_fence() -> None:
    """Who trades without a lease loses none."""
    lease = Lease()

    assert not lease.is_used
    assert lease.may_write
    assert lease.lapse(1e9) is None


def test_a_redis_without_leases_is_traded_on_without_one() -> None:
    """A server that permits the seed's keys alone has no lease to give."""
    lease = Lease()
    lease.want()

    lease.forgo()

    assert lease.may_write
    assert not lease.is_used


def test_a_lease_that_is_wanted_is_not_held() -> None:
    """Redis was away at the start: the lease is used, and nothing lapses yet."""
    lease = Lease()
    lease.want()

    assert lease.is_used
    assert not lease.may_write
    assert lease.lapse(1e9) is None
    assert LeaseChanged(held=True, epoch=1) == lease.acquire(1, at=5.0)
