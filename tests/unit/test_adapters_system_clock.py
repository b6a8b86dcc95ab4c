"""The machine's clock."""

from __future__ import annotations

from datetime import UTC, timedelta

from runner.adapters.system_clock import SystemClock


def test_now_knows_its_zone() -> None:
    """Times are UTC-aware from the start."""
    assert timedelta(0) == SystemClock().now().utcoffset()
    assert UTC is SystemClock().now().tzinfo


def test_waiting_passes_time() -> None:
    """A wait lasts at least as long as asked, and not at all for zero and less."""
    clock = SystemClock()
    began = clock.monotonic()
    clock.wait(0.02)
    waited = clock.monotonic() - began
    clock.wait(0.0)
    clock.wait(-5.0)

    assert waited >= 0.019
