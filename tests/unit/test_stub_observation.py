from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server_stub.observation import (
    NEVER_SEEN,
    Observation,
    ObservedStatus,
    Reading,
    Snapshot,
    observed,
)

NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)
LATER = NOW + timedelta(seconds=61)
GONE = Reading()
ACTIVE = Reading(heartbeat={"bot_status": "ACTIVE"})


@pytest.mark.parametrize(
    ("said", "status"),
    [
        ("ACTIVE", ObservedStatus.ACTIVE),
        ("PAUSED", ObservedStatus.PAUSED),
        ("DOWN", ObservedStatus.DOWN),
        ("DANCING", ObservedStatus.PAUSED),
        ("", ObservedStatus.PAUSED),
    ],
)
def test_a_heartbeat_says_what_a_bot_is(said: str, status: ObservedStatus) -> None:
    """A bot that says something unknown is alive, but not taken for trading."""
    bot = observed(
        NEVER_SEEN,
        Reading(heartbeat={"bot_status": said, "x": "y"}),
        now=NOW,
        grace=False,
    )

    assert (status, NOW, NOW) == (bot.status, bot.since, bot.last_seen)


def test_a_bot_never_seen_is_not_down() -> None:
    """It was never up."""
    assert NEVER_SEEN == observed(NEVER_SEEN, GONE, now=NOW, grace=False)


def test_an_expired_heartbeat_means_down_until_it_returns() -> None:
    """Each status has the time at which it began."""
    up = observed(NEVER_SEEN, ACTIVE, now=NOW, grace=False)
    down = observed(up, GONE, now=LATER, grace=False)
    still = observed(down, GONE, now=LATER + timedelta(seconds=1), grace=False)
    back = observed(still, ACTIVE, now=LATER + timedelta(seconds=2), grace=False)

    assert (ObservedStatus.DOWN, LATER, NOW) == (
        still.status,
        still.since,
        still.last_seen,
    )
    assert {} == dict(still.heartbeat)
    assert ObservedStatus.ACTIVE is back.status


def test_absence_tells_nothing_when_redis_was_away() -> None:
    """A flushed Redis must not raise an alarm for every bot."""
    up = observed(NEVER_SEEN, ACTIVE, now=NOW, grace=False)

    kept = observed(up, GONE, now=LATER, grace=True)

    assert (ObservedStatus.ACTIVE, NOW) == (kept.status, kept.last_seen)


def test_an_observation_outlives_a_restart() -> None:
    """Status and times come back from the database."""
    up = observed(NEVER_SEEN, ACTIVE, now=NOW, grace=False)
    again = Observation.from_document(up.to_document())

    assert (up.status, up.since, up.last_seen) == (
        again.status,
        again.since,
        again.last_seen,
    )
    assert NEVER_SEEN == Observation.from_document(NEVER_SEEN.to_document())


def test_a_snapshot_knows_every_bot() -> None:
    """One that it never saw too."""
    assert NEVER_SEEN == Snapshot().of("1")
