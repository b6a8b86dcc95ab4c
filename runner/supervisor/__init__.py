"""One worker process per account: watched from outside, restarted, stopped in order.

The MetaTrader5 module holds one terminal per process and never lets go of the
interpreter during a call, so accounts cannot share a process, and none can watch
itself.
"""

from __future__ import annotations

from runner.supervisor.lifeline import hold_lifeline
from runner.supervisor.seat import (
    Seat,
    in_flight_file,
    seal,
    sign_of_life_file,
    worker_command,
)
from runner.supervisor.signals import on_stop_signals

__all__ = [
    "Seat",
    "hold_lifeline",
    "in_flight_file",
    "on_stop_signals",
    "seal",
    "sign_of_life_file",
    "worker_command",
]
