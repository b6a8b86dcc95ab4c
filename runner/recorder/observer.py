"""The decisions that no port sees: denials, states, and what failed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from runner.core.account import Account
from runner.core.orders import Denial, OrderIntent
from runner.core.status import PauseReason
from runner.core.trading_state import TradingState
from runner.host.manager import PluginHost
from runner.host.markers import hookimpl
from runner.host.records import BUILT_IN
from runner.recorder.ports import Call, Script

_NAME = "mt5runner.recorder"
_NOTHING = type(None)
_DENIED = Call("host.denied", _NOTHING, ("intent", "denials"), is_decision=True)
_STATE = Call("host.state", _NOTHING, ("state", "reasons"), is_decision=True)
_FAILED = Call("host.failed", _NOTHING, ("plugin", "hook", "error"), is_decision=True)


class Observer:
    """Passes on to a script what the host tells of the loop's decisions.

    Args:
        script: The recorder, or the replay.
        problem: Says why nothing is recorded any more; empty while it is.
    """

    def __init__(self, script: Script, problem: Callable[[], str]) -> None:
        self._script = script
        self._problem = problem

    @hookimpl
    def on_order_denied(
        self, intent: OrderIntent, denials: Sequence[Denial], now: datetime
    ) -> None:
        """Note a denial with every reason."""
        self._note(_DENIED, intent, denials)

    @hookimpl
    def on_trading_state_changed(
        self, state: TradingState, reasons: Sequence[PauseReason], now: datetime
    ) -> None:
        """Note the trading state and its reasons."""
        self._note(_STATE, state, reasons)

    @hookimpl
    def on_plugin_error(
        self, plugin: str, hook: str, error: str, now: datetime
    ) -> None:
        """Note that a plugin or strategy failed."""
        self._note(_FAILED, plugin, hook, error)

    @hookimpl
    def describe_status(self, account: Account, now: datetime) -> Mapping[str, str]:
        """Let the heartbeat say that the recorder is off."""
        problem = self._problem()
        return {"journal": f"OFF: {problem}"} if problem else {}

    def _note(self, call: Call, *args: object) -> None:
        self._script.call(call, _nothing, args)


def _nothing(*args: object) -> None:
    """There is nobody to tell: a note is written and nothing else."""


def observe(
    host: PluginHost, script: Script, problem: Callable[[], str] = lambda: ""
) -> None:
    """Let *script* see what *host* tells of the loop's decisions."""
    host.attach(_NAME, Observer(script, problem), BUILT_IN)
