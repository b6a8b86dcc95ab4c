"""What an earlier start left open: adopted, closed first, or a reason not to start."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime

from runner.core.orders import Demand, Denial, Deny, Position
from runner.core.restart import (
    RestartPolicy,
    Standing,
    Step,
    counted,
    decide,
    foreign,
    holdings,
)
from runner.core.settings import EMPTY
from runner.host.records import PluginError
from runner.link import Link
from runner.loop.configs import Configs
from runner.loop.desk import OrderDesk
from runner.loop.roster import Roster
from runner.loop.view import View
from runner.ports import UnavailableError

log = logging.getLogger("mt5runner.loop")

SOURCE = "restart"


class Restart:
    """Carries out the restart policy, once; until then nothing may be opened.

    Args:
        policy: What was set.
        view: Readings.
        desk: Knows which orders have no outcome.
        roster: Knows which positions are the runner's own.

    Attributes:
        refusal: Why the runner does not start; empty if it may.
    """

    def __init__(
        self, policy: RestartPolicy, *, view: View, desk: OrderDesk, roster: Roster
    ) -> None:
        self._policy = policy
        self._view = view
        self._desk = desk
        self._roster = roster
        self._step = Step.WAIT
        self._standing: Standing | None = None
        self.refusal = ""

    def look(self, *, are_magics_known: bool) -> None:
        """Decide anew, until it was decided to go on.

        Args:
            are_magics_known: Whether the server has said which strategy may trade.
        """
        if self._step is Step.GO_ON:
            return
        before, self._standing = self._step, self._read()
        if self._policy is RestartPolicy.ADOPT and not (
            are_magics_known and self._standing is not None
        ):
            return  # no hurry: the account's own reasons hold entries back meanwhile
        self._step = decide(
            self._policy, self._standing, are_magics_known=are_magics_known
        )
        if self._step is before:
            return
        if self._step is Step.CLOSE:
            log.warning("on_restart flatten: closing first: %s", self._standing)
        elif self._step is Step.STOP:
            self.refusal = (
                f"an earlier start left open: {self._standing}; on_restart is refuse. "
                "Close it by hand, or start with on_restart adopt or flatten"
            )
        elif before is Step.CLOSE:
            log.info("what an earlier start left open is closed")
        elif self._standing is not None and self._standing != Standing():
            log.info("adopted from an earlier start: %s", self._standing)

    @property
    def denials(self) -> tuple[Denial, ...]:
        """Why nothing may be opened yet; empty when it may."""
        if self._step is Step.GO_ON or self._policy is RestartPolicy.ADOPT:
            return ()
        detail = (
            "what an earlier start left open is not known yet"
            if self._step is Step.WAIT
            else f"left open by an earlier start: {self._standing}"
        )
        return (Denial(SOURCE, Deny("LEFT_OPEN", detail)),)

    @property
    def demands(self) -> Mapping[str, Sequence[Demand]]:
        """What has to be closed and cancelled first."""
        if self._step is not Step.CLOSE or self._standing is None:
            return EMPTY
        demand = Demand(
            code="LEFT_OPEN",
            close=tuple(one.ticket for one in self._standing.positions),
            cancel=tuple(one.ticket for one in self._standing.orders),
        )
        return {SOURCE: (demand,)}

    def _read(self) -> Standing | None:
        positions, orders = self._view.positions, self._view.orders
        if positions is None or orders is None or not self._view.is_current:
            return None
        magics = self._roster.magics
        return Standing(
            positions=tuple(one for one in positions if one.magic in magics),
            orders=tuple(one for one in orders if one.magic in magics),
            unresolved=len(self._desk.unresolved),
        )


class Adoption:
    """Engages strategies that hold something and that the server does not run.

    A strategy that the server replaced goes on managing its positions. After a restart
    too: it is engaged on its last known good config. Where that is not to be had its
    positions keep their stops at the broker, and that nobody manages them is told.

    Args:
        view: Readings.
        desk: Knows which orders have no outcome.
        roster: The strategies that run.
        configs: Engages strategies; tells what is unmanaged.
        link: Remembers configs.
    """

    def __init__(
        self,
        *,
        view: View,
        desk: OrderDesk,
        roster: Roster,
        configs: Configs,
        link: Link,
    ) -> None:
        self._view = view
        self._desk = desk
        self._roster = roster
        self._configs = configs
        self._link = link
        self._failed: dict[int, str] = {}

    def work(self, now: datetime) -> None:
        """Engage who is missing; called by the safe point.

        Args:
            now: The market's time, UTC-aware.
        """
        trade, positions = self._configs.trade, self._view.positions
        if trade is None or positions is None:
            return
        held = holdings(
            positions,
            self._view.orders or (),
            self._desk.unresolved,
            self._roster.owners,
        )
        for strategy_id in held.keys() - self._roster.members.keys():
            # The chosen one's config is on its way, or the server is told why not.
            if strategy_id != trade.active_bot_id and strategy_id not in self._failed:
                self._engage(strategy_id, now)
        self._tell(tuple(self._unmanaged(held)))

    def _engage(self, strategy_id: int, now: datetime) -> None:
        try:
            config = self._link.recall(strategy_id)
            self._configs.resume(config, now)
        except UnavailableError:
            return  # the terminal does not answer: the next safe point tries again
        except (LookupError, PluginError) as error:
            self._failed[strategy_id] = str(error)
            return
        log.warning(
            "strategy %d (%s) still holds positions: it manages them on its last "
            "known good config, version %d, and opens none",
            strategy_id,
            config.bot_strategy_class,
            config.version,
        )

    def _unmanaged(self, held: Mapping[int, Sequence[str]]) -> Sequence[str]:
        lines: list[str] = []
        for strategy_id, symbols in sorted(held.items()):
            member = self._roster.members.get(strategy_id)
            if member is None:
                if strategy_id in self._failed:
                    why = self._failed[strategy_id]
                    names = ", ".join(symbols)
                    lines.append(_unmanaged(strategy_id, names, why))
                continue
            lines += [
                _unmanaged(strategy_id, symbol, "its config does not name it")
                for symbol in symbols
                if symbol not in member.symbols
            ]
        return lines

    def _tell(self, lines: tuple[str, ...]) -> None:
        for line in lines:
            if line not in self._configs.unmanaged:
                log.error("%s", line)
        self._configs.unmanaged = lines


def _unmanaged(strategy_id: int, symbols: str, why: str) -> str:
    return (
        f"strategy:{strategy_id}: what it holds in {symbols} is managed by nobody, "
        f"stops at the broker stand: {why}"
    )


class Foreigners:
    """Says when a position that is not the runner's own comes or goes."""

    def __init__(self) -> None:
        self._known: dict[int, Position] = {}

    def look(self, positions: Sequence[Position], roster: Roster) -> None:
        """Compare with the last look.

        Args:
            positions: Of the account.
            roster: Knows which are the runner's own.
        """
        seen = {one.ticket: one for one in foreign(positions, roster.magics)}
        if seen.keys() == self._known.keys():
            return
        for ticket in seen.keys() - self._known.keys():
            one = seen[ticket]
            log.warning(
                "position %d is not ours and left alone: %s %g %s, magic %d",
                ticket,
                one.side.value,
                one.volume,
                one.symbol,
                one.magic,
            )
        for ticket in self._known.keys() - seen.keys():
            log.info("position %d, which is not ours, is gone", ticket)
        self._known = seen
        log.info("positions that are not ours: %s", counted(seen.values()) or "none")
