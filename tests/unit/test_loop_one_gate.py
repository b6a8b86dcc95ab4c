"""Every path that can raise exposure goes through one gate."""

from __future__ import annotations

import ast
import functools
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from whole_runner import MemoryStore, WholeRunner, utc

from runner import (
    Deny,
    Intents,
    Parameters,
    Position,
    Strategy,
    Tick,
    TradingState,
    hookimpl,
)
from runner.adapters.mt5_simulator.faults import FillPart, Refuse, Schedule
from runner.adapters.mt5_simulator.terminal import SimulatedTerminal
from runner.link import LeaseChanged, ServerSeen, StrategyConfigStaged
from runner.testing import FakeClock
from runner.wire.acks import CommandState
from runner.wire.heartbeat import ServerHeartbeat

ROOT = Path(__file__).parents[2]
MARKET_CLOSED = 10018


# -- by the source ---------------------------------------------------------------------
class _Calls(ast.NodeVisitor):
    """Finds who calls what: ``file:Class.function`` to ``receiver.method``."""

    def __init__(self, path: Path) -> None:
        self._place = [path.relative_to(ROOT).as_posix()]
        self.found: list[tuple[str, str]] = []
        self.visit(ast.parse(path.read_text("utf-8")))

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self._inside(node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._inside(node)

    def visit_Call(self, node: ast.Call) -> None:
        self.found.append((":".join(self._place), ast.unparse(node.func)))
        self.generic_visit(node)

    def _inside(self, node: ast.ClassDef | ast.FunctionDef) -> None:
        self._place.append(node.name)
        self.generic_visit(node)
        self._place.pop()


@functools.cache
def _calls() -> tuple[tuple[str, str], ...]:
    return tuple(
        call
        for folder in ("runner", "plugins", "strategies")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for call in _Calls(path).found
    )


def _callers(ending: str) -> set[str]:
    return {
        f"{place} {called}" for place, called in _calls() if called.endswith(ending)
    }


def test_orders_are_sent_in_one_place() -> None:
    """The desk alone asks a broker; the adapter alone asks a terminal."""
    sent = {one for one in _callers("broker.send") if "/recorder/" not in one}
    placed = {one.partition(" ")[0] for one in _callers(".order_send")}

    assert {"runner/loop/desk.py:OrderDesk:_send self._broker.send"} == sent
    assert {"runner/loop/desk.py:OrderDesk:_carry_out"} == {
        one.partition(" ")[0] for one in _callers("self._send") if "desk.py" in one
    }
    assert {"runner/adapters/"} == {one[:16] for one in placed}


def test_the_desk_opens_for_the_trader_alone() -> None:
    """And the trader for the loop alone, which has it from a strategy."""
    assert {"runner/loop/trader.py:Trader:_send self._desk.enter"} == (
        _callers("desk.enter")
    )
    assert {"runner/loop/trader.py:Trader:carry_out self._send"} == {
        one for one in _callers("self._send") if "trader.py" in one
    }
    assert {
        "runner/loop/live.py:Loop:_on_bars self._trader.carry_out",
        "runner/loop/live.py:Loop:_on_ticks self._trader.carry_out",
    } == _callers("trader.carry_out")


def test_the_trader_sends_only_what_was_judged() -> None:
    """The last statements of the gate: judge, return if anything denies, send."""
    tree = ast.parse((ROOT / "runner/loop/trader.py").read_text("utf-8"))
    [carry_out] = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "carry_out"
    ]
    *_, judged, denied, _, sent = carry_out.body

    assert ast.unparse(judged).startswith("denials = judge(intent, reasons=self._gate.")
    assert isinstance(denied, ast.If)
    assert "denials" == ast.unparse(denied.test)
    assert isinstance(denied.body[-1], ast.Return)
    assert "self._send(member, intent)" == ast.unparse(sent)
    assert 1 == ast.unparse(carry_out).count("self._send(")


def test_no_request_that_opens_is_made_but_by_the_desk() -> None:
    """And no intent but by strategies: the runner itself wishes nothing."""
    requests = {one.partition(" ")[0] for one in _callers("OrderRequest")}
    intents = {one.partition(":")[0] for one in _callers("OrderIntent")}

    assert {
        "runner/loop/desk.py:OrderDesk:enter",
        "runner/loop/desk.py:OrderDesk:close",
        "runner/loop/desk.py:OrderDesk:protect",
        "runner/loop/desk.py:OrderDesk:cancel",
        "runner/loop/order_record.py:from_record",
    } == requests
    assert {"runner/strategy.py"} == intents


# -- by walking every path -------------------------------------------------------------
class Walker(Strategy):
    """Wants, with each quote, what the test says."""

    Parameters = Parameters
    wish: str = ""
    clock: FakeClock

    def on_tick(self, tick: Tick) -> Intents:
        wish, held = type(self).wish, self.positions(tick.symbol)
        if tick.symbol != "EURUSD":
            return None
        if wish == "entry":
            return self.buy(tick.symbol, volume=0.1, stop_loss=500)
        if wish == "several":
            return [self.buy(tick.symbol, volume=0.1) for _ in range(3)]
        if wish == "flip":
            return self.sell(tick.symbol, volume=0.5)
        if wish == "other symbol":
            return self.sell("GBPUSD", volume=0.1)
        if wish == "pending":
            return self.buy_limit(tick.symbol, 1.0, volume=0.1)
        if wish == "entry, much later":
            self.clock.wait(40.0)
            return [self.buy(tick.symbol, volume=0.1, stop_loss=500)]
        if wish == "endless":
            return self.buy(tick.symbol, volume=0.1, stop_loss=float("inf"))
        return self._about(held[0], wish) if held else None

    def _about(self, held: Position, wish: str) -> Intents:
        if wish == "overshoot":
            return self.close(held.symbol, volume=held.volume * 5)
        if wish == "overshoot in parts":
            part = held.volume * 0.7
            return [self.close(held.symbol, volume=part) for _ in range(3)]
        if wish == "close twice":
            return [self.close(held.symbol, ticket=held.ticket) for _ in range(2)]
        if wish in {"widen", "tighten"}:
            away = -0.001 if wish == "widen" else 0.001
            return self.protect(held, stop_loss=held.stop_loss + away)
        return None


class Account:
    """A runner on the simulated terminal that has bought 0.1 lots of EURUSD."""

    def __init__(self, *, hedging: bool, **terminal: Any) -> None:
        self.now = utc("2026-03-04 10:00")
        self.terminal = SimulatedTerminal(hedging=hedging, **terminal)
        self.store, self.clock = MemoryStore(), FakeClock(self.now)
        self.guard = Guard()
        self.bot: Any = type("Walker", (Walker,), {"clock": self.clock})
        self.starts = 0
        self.quote()
        self.start()
        self.wish("entry")
        self.wish("")

    def start(self) -> None:
        """Start the runner on what an earlier one left."""
        self.starts += 1
        self.runner = WholeRunner(
            self.terminal,
            self.store,
            self.clock,
            (self.bot,),
            settings={"limits": {}},
            plugins={"guard": self.guard},
            session=f"session-{self.starts}",
        )
        self.runner.version = 10 * self.starts
        self.runner.begin()
        self.runner.trade(enabled_symbols=("EURUSD", "GBPUSD"))
        self.runner.strategy("Walker", {"EURUSD": Parameters(), "GBPUSD": Parameters()})
        self.runner.cycle()

    def quote(self) -> None:
        """Let a quote of each symbol come."""
        self.now += timedelta(seconds=1)
        self.terminal.quote("EURUSD", 1.1, 1.1001, self.now)
        self.terminal.quote("GBPUSD", 1.3, 1.3001, self.now)

    def wish(self, wish: str, quotes: int = 1) -> None:
        """Let the strategy want something with so many quotes."""
        self.bot.wish = wish
        for _ in range(quotes):
            self.quote()
            self.runner.cycle()

    @property
    def net(self) -> dict[str, float]:
        """Symbol to lots, long positive."""
        found: dict[str, float] = {}
        for one in self.terminal.positions_get() or ():
            sign = 1 if one.type == 0 else -1
            found[one.symbol] = round(found.get(one.symbol, 0) + sign * one.volume, 2)
        return found

    @property
    def gross(self) -> float:
        """Lots of everything that is open or pending."""
        pending = [one.volume_current for one in self.terminal.orders_get() or ()]
        held = [one.volume for one in self.terminal.positions_get() or ()]
        return float(sum(pending + held))

    @property
    def risk(self) -> int:
        """Points from the entry to the stop, of the position that was bought first."""
        held = (self.terminal.positions_get() or ())[0]
        return round((held.price_open - held.sl) / 0.00001)

    @property
    def standing(self) -> tuple[dict[str, float], float, int]:
        """What is held, open or pending, and risked."""
        return self.net, self.gross, self.risk


class Guard:
    """Denies the account when the test says so."""

    def __init__(self) -> None:
        self.answer: Deny | None = None
        self.is_broken = False

    @hookimpl
    def check_trading(self) -> Deny | None:
        return self.answer

    @hookimpl
    def check_order(self) -> Deny | None:
        if self.is_broken:
            raise ValueError("broken")
        return None


def _server(account: Account, **fields: Any) -> None:
    seen = ServerSeen(heartbeat=ServerHeartbeat(**fields), at=account.now)
    account.runner.link.events.append(seen)


def _deny(account: Account, state: TradingState) -> None:
    account.guard.answer = Deny("NO", "", state)


REASONS: dict[str, Callable[[Account], None]] = {
    "command PAUSE": lambda a: a.runner.command("PAUSE"),
    "server pauses the bot": lambda a: _server(a, bot_status="PAUSED"),
    "server blocks": lambda a: _server(a, dd_blocked=True),
    "config pauses the account": lambda a: a.runner.trade(account_status="INACTIVE"),
    "config blocks": lambda a: a.runner.trade(dd_blocked=True),
    "config chooses nobody": lambda a: a.runner.trade(active_bot_id=None),
    "config drops the symbols": lambda a: a.runner.trade(enabled_symbols=()),
    "strategy is paused": lambda a: a.runner.strategy(
        "Walker",
        {"EURUSD": Parameters(), "GBPUSD": Parameters()},
        bot_status="PAUSED",
    ),
    "lease is lost": lambda a: a.runner.link.events.append(LeaseChanged(held=False)),
    "guard reduces": lambda a: _deny(a, TradingState.REDUCING),
    "guard latches": lambda a: _deny(a, TradingState.LATCHED),
    "guard halts": lambda a: _deny(a, TradingState.HALTED),
    "guard flattens": lambda a: _deny(a, TradingState.FLATTENING),
    "too much memory": lambda a: setattr(
        a.runner.loop, "_memory", _Memory("used=9MB limit=1MB")
    ),
}
WISHES = (
    "entry",
    "several",
    "flip",
    "other symbol",
    "pending",
    "overshoot",
    "overshoot in parts",
    "widen",
)
KINDS = pytest.mark.parametrize("hedging", [True, False], ids=["hedging", "netting"])


class _Memory:
    """A reading of the memory that is too much."""

    def __init__(self, problem: str) -> None:
        self.problem, self.state = problem, None

    def look(self, running: Iterator[str]) -> None:
        """Change nothing."""


@KINDS
@pytest.mark.parametrize(
    "wish", ["entry", "several", "flip", "other symbol", "pending", "widen"]
)
def test_the_paths_lead_somewhere_while_nothing_speaks_against_them(
    wish: str, *, hedging: bool
) -> None:
    """So that the walk below proves something."""
    account = Account(hedging=hedging)
    usual = {"EURUSD": 0.1}, 0.1, 500
    assert usual == account.standing
    account.wish(wish)

    assert usual != account.standing


@KINDS
@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("wish", WISHES)
def test_no_path_raises_exposure_while_a_reason_holds(
    wish: str, reason: str, *, hedging: bool
) -> None:
    """Entries, adds, flips, other symbols, closes beyond what is held, wider stops."""
    account = Account(hedging=hedging)
    REASONS[reason](account)
    account.wish("")
    account.wish(wish, quotes=4)

    assert account.gross <= 0.1
    assert not [lots for lots in account.net.values() if lots < 0]
    assert {"EURUSD"} >= set(account.net)
    assert not account.net or account.risk <= 500


@KINDS
@pytest.mark.parametrize("reason", REASONS)
def test_a_stop_may_come_nearer_while_a_reason_holds(
    reason: str, *, hedging: bool
) -> None:
    """It lowers what may be lost, as every exit; a halt alone holds it."""
    account = Account(hedging=hedging)
    REASONS[reason](account)
    account.wish("")
    account.wish("tighten")

    assert (500 if reason == "guard halts" else 400) == account.risk


@KINDS
def test_a_guard_that_breaks_widens_no_stop(*, hedging: bool) -> None:
    """As it lets no entry pass; a nearer stop passes."""
    account = Account(hedging=hedging)
    account.guard.is_broken = True
    account.wish("widen")
    widened = account.risk
    account.wish("tighten")

    assert (500, 400) == (widened, account.risk)


@KINDS
@pytest.mark.parametrize("wish", ["overshoot", "overshoot in parts", "close twice"])
def test_a_close_never_turns_a_position_round(wish: str, *, hedging: bool) -> None:
    """Even when everything may be opened."""
    account = Account(hedging=hedging)
    account.wish(wish, quotes=5)

    assert {} == account.net


@KINDS
def test_what_was_judged_long_ago_opens_nothing(*, hedging: bool) -> None:
    """A call that hung, or a machine that slept: another may own the account by now."""
    account = Account(hedging=hedging)
    account.wish("entry, much later")
    late = account.net
    account.wish("entry")

    assert ({"EURUSD": 0.1}, {"EURUSD": 0.2}) == (late, account.net)


@KINDS
def test_a_wish_that_no_number_has_stops_its_strategy_alone(*, hedging: bool) -> None:
    """What cannot be written to disk must not break the loop, nor be sent."""
    account = Account(hedging=hedging)
    account.wish("endless")

    assert {"EURUSD": 0.1} == account.net
    assert "must be > 0 and finite" in account.runner.host.failures["Walker-1"]


@KINDS
def test_a_restart_opens_nothing(*, hedging: bool) -> None:
    """What an earlier start had sent is looked up, not sent again."""
    account = Account(hedging=hedging)
    account.start()
    account.wish("", quotes=3)

    assert {"EURUSD": 0.1} == account.net


def test_there_are_no_pairs_whose_legs_could_be_opened() -> None:
    """A config that asks for two legs is refused whole: nobody would watch the pair."""
    account = Account(hedging=True)
    pair = attrs.evolve(
        account.runner.roster.members[1].config,
        bot_strategy_id=2,
        version=90,
        is_pair_trading=True,
    )
    account.runner.link.events.append(StrategyConfigStaged(strategy_id=2, config=pair))
    account.runner.trade(active_bot_id=2, enabled_symbols=("EURUSD", "GBPUSD"))
    account.wish("entry", quotes=3)

    assert {"EURUSD": 0.1} == account.net
    assert 2 not in account.runner.roster.members


@KINDS
def test_an_opening_in_doubt_of_a_strategy_that_was_replaced_is_not_met_by_another(
    *, hedging: bool
) -> None:
    """On a netting account both would be one position, of neither's size or side."""
    account = Account(hedging=hedging)
    account.runner.command("FLATTEN", seq=8)
    account.wish("")
    account.runner.command("RUN", seq=9)
    account.wish("")
    assert {} == account.net
    account.terminal.faults = Schedule({"order_send": {1: Refuse(10012)}})
    account.wish("entry")
    account.wish("")
    symbols = {"EURUSD": Parameters(), "GBPUSD": Parameters()}
    account.runner.strategy("Walker", symbols, number=2)
    account.runner.trade(active_bot_id=2, enabled_symbols=tuple(symbols))
    account.wish("")
    account.wish("entry")
    meanwhile = account.net
    for _ in range(20):
        account.runner.cycle(seconds=2.0)
    account.wish("entry")

    assert ({"EURUSD": 0.1} if hedging else {}) == meanwhile
    assert {"EURUSD": 0.2 if hedging else 0.1} == account.net


# -- a halt can always be flattened ----------------------------------------------------
@KINDS
@pytest.mark.parametrize("action", ["FLATTEN", "EMERGENCY_STOP"])
@pytest.mark.parametrize("reason", [*REASONS, ""])
def test_every_halt_can_be_flattened(
    reason: str, action: str, *, hedging: bool
) -> None:
    """No reason against entries stands in the way of the way out."""
    account = Account(hedging=hedging)
    account.wish("other symbol")
    if reason:
        REASONS[reason](account)
        account.wish("")
    assert 0.15 < account.gross
    account.runner.command(action, seq=9)
    account.wish("entry", quotes=3)

    assert {} == account.net
    assert CommandState.DONE is account.runner.link.acks[-1].state


@KINDS
def test_a_flatten_outlives_a_closed_market_partial_fills_and_a_restart(
    *, hedging: bool
) -> None:
    """It looks at what is left, as often as it takes."""
    refusals = dict.fromkeys(range(4, 8), Refuse(MARKET_CLOSED))
    parts = dict.fromkeys(range(8, 11), FillPart(0.5))
    account = Account(
        hedging=hedging, faults=Schedule({"order_send": {**refusals, **parts}})
    )
    account.wish("other symbol")
    account.wish("entry")
    account.runner.command("FLATTEN", seq=9)
    seen = []
    for number in range(30):
        if number in {3, 7}:
            account.start()
            account.runner.command("FLATTEN", seq=9)
        account.quote()
        account.runner.cycle(seconds=6.0)
        seen.append(account.gross)

    assert 0.2 < seen[0]
    assert sorted(seen, reverse=True) == seen
    assert 3 < len(set(seen))
    assert {} == account.net
    assert CommandState.DONE is account.runner.link.acks[-1].state


@KINDS
def test_a_change_of_stop_in_doubt_does_not_hold_a_flatten(*, hedging: bool) -> None:
    """The search for what became of it takes half a minute; nobody waits for that."""
    account = Account(hedging=hedging)
    account.terminal.faults = Schedule({"order_send": {1: Refuse(10012)}})
    account.wish("widen", quotes=1)
    assert 1 == len(account.runner.desk.unresolved)
    account.runner.command("FLATTEN", seq=9)
    account.wish("")

    assert {} == account.net


@KINDS
def test_a_pending_order_whose_removal_was_lost_is_removed_soon(
    *, hedging: bool
) -> None:
    """It may be filled at any moment, and nothing speaks against asking again."""
    account = Account(hedging=hedging)
    account.wish("pending")
    assert 1 == len(account.terminal.orders_get() or ())
    account.terminal.faults = Schedule({"order_send": {1: Refuse(10012)}})
    account.runner.command("PAUSE")
    for _ in range(5):
        account.quote()
        account.runner.cycle(seconds=3.0)

    assert () == account.terminal.orders_get()


def test_a_position_larger_than_the_largest_order_can_be_flattened() -> None:
    """A netting account adds orders up; each close takes as much as one order may."""
    account = Account(hedging=False, symbols={"EURUSD": {"volume_max": 0.15}})
    account.wish("entry", quotes=3)
    assert {"EURUSD": 0.4} == account.net
    account.runner.command("FLATTEN", seq=9)
    for _ in range(4):
        account.quote()
        account.runner.cycle(seconds=6.0)

    assert {} == account.net


@KINDS
def test_a_flatten_whose_close_was_lost_repeats_it_soon_where_it_may(
    *, hedging: bool
) -> None:
    """On a netting account it waits until the first has left no trace."""
    account = Account(hedging=hedging)
    account.terminal.faults = Schedule({"order_send": {1: Refuse(10012)}})
    account.runner.command("FLATTEN", seq=9)
    soon = []
    for number in range(16):
        account.quote()
        account.runner.cycle(seconds=3.0)
        soon += [account.net] if number == 3 else []

    assert [{} if hedging else {"EURUSD": 0.1}] == soon
    assert {} == account.net
    assert CommandState.DONE is account.runner.link.acks[-1].state
