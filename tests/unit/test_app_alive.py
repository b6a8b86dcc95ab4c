"""Signs of life for the supervisor."""

from __future__ import annotations

from runner.app.alive import SignOfLife
from runner.testing import FakeClock


def test_the_file_is_touched_once_a_second_at_most(tmp_path):
    """A cycle may last a millisecond; the disk need not hear of each."""
    file, clock = tmp_path / "7.alive", FakeClock()
    alive = SignOfLife(file, clock)
    alive.show()
    assert file.exists()

    file.unlink()
    alive.show()
    assert not file.exists()
    clock.wait(1.0)
    alive.show()
    assert file.exists()


def test_a_file_that_cannot_be_written_is_told_once(tmp_path, caplog):
    """The run goes on; the supervisor will say the rest."""
    clock = FakeClock()
    alive = SignOfLife(tmp_path / "none" / "7.alive", clock)
    for _ in range(3):
        alive.show()
        clock.wait(1.0)

    assert 1 == len(caplog.messages)


def test_a_cycle_of_the_loop_shows_a_sign(world):
    """Only a loop at work does: a thread beside it would prove nothing."""
    shown: list[int] = []
    world.loop._alive = lambda: shown.append(1)
    world.loop.start()
    world.cycle(2)

    assert 2 == len(shown)
