from __future__ import annotations

from datetime import UTC, datetime, timedelta

from runner.loop.pacing import Pacer

START = datetime(2026, 1, 1, tzinfo=UTC)


class ManualClock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def now(self) -> datetime:
        return START

    def monotonic(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds


class Phases:
    """A tape with one phase a minute."""

    def __init__(self, count: int) -> None:
        self.played = 0
        self._count = count

    @property
    def next_at(self) -> datetime | None:
        if self.played == self._count:
            return None
        return START + timedelta(minutes=self.played)

    def advance(self) -> bool:
        if self.played == self._count:
            return False
        self.played += 1
        return True


def test_at_speed_60_a_market_minute_takes_a_second():
    """Nothing is played before it is due, and then one phase at a time."""
    clock, tape = ManualClock(), Phases(3)
    pacer = Pacer(tape, clock, speed=60)

    assert pacer.play()
    assert 1.0 == pacer.pause()
    assert pacer.play()
    assert 1 == tape.played
    clock.wait(1.0)
    assert pacer.play()
    assert 2 == tape.played


def test_a_slow_consumer_gets_every_phase_one_by_one():
    """Phases that are overdue are not skipped: each is decided on before the next."""
    clock, tape = ManualClock(), Phases(3)
    pacer = Pacer(tape, clock, speed=60)
    pacer.play()
    clock.wait(1000)

    pacer.play()

    assert 2 == tape.played
    assert 0.0 == pacer.pause()


def test_at_full_speed_nothing_ever_waits_and_the_end_is_told():
    """Speed 0 plays a phase at every call until the feed has ended."""
    pacer = Pacer(Phases(2), ManualClock(), speed=0)

    assert [True, True, False] == [pacer.play() for _ in range(3)]
