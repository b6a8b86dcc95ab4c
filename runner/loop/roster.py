"""The strategies that run on the account."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from datetime import datetime

from runner.core.identity import colliding, magic_number
from runner.core.market import Bar, Timeframe
from runner.core.settings import StrategyConfig
from runner.host.freezes import Freezes
from runner.host.manager import PluginHost
from runner.host.records import StrategyRecord
from runner.host.strategies import HostedStrategy
from runner.loop.context import Context
from runner.loop.desk import OrderDesk
from runner.loop.member import Member
from runner.loop.strategy_state import StrategyMemory
from runner.loop.view import View
from runner.ports import StateError, StateStore

log = logging.getLogger("mt5runner.config")

_MAGICS = "magics"


class Roster:
    """Keeps the members: who runs, on which symbols, and who leaves.

    Args:
        account: The account id that the server knows.
        view: Readings of the terminal.
        host: Isolates strategies and takes their hooks.
        desk: Knows which orders have no outcome.
        store: Remembers the magic numbers that were ever used here.
        default_timeframe: Bars for strategies that name none.

    Attributes:
        members: By the server's strategy id.
        owners: Magic number to strategy id, of every one that ever ran here.
    """

    def __init__(
        self,
        *,
        account: str,
        view: View,
        host: PluginHost,
        desk: OrderDesk,
        store: StateStore,
        default_timeframe: Timeframe,
    ) -> None:
        self._account = account
        self._view = view
        self._host = host
        self._desk = desk
        self._store = store
        self._default_timeframe = default_timeframe
        self.members: dict[int, Member] = {}
        self.owners: dict[int, int] = {
            magic: int(strategy_id)
            for strategy_id, magic in store.items(_MAGICS).items()
        }
        self._chosen: int | None = None

    # -- what the loop needs to know ---------------------------------------------------
    @property
    def symbols(self) -> list[str]:
        """Every symbol that any member gets quotes of."""
        members = self.members.values()
        return list(dict.fromkeys(name for one in members for name in one.symbols))

    @property
    def series(self) -> list[tuple[str, Timeframe]]:
        """Every symbol and timeframe that any member gets bars of."""
        keys = (
            (symbol, member.context.timeframe)
            for member in self.members.values()
            for symbol in member.symbols
        )
        return list(dict.fromkeys(keys))

    @property
    def magics(self) -> Collection[int]:
        """The numbers of every strategy that ever ran on this account."""
        return self.owners.keys()

    def collision(self, strategy_id: int) -> str | None:
        """Say with which strategy another one cannot be told apart; None if it can."""
        magic = magic_number(self._account, strategy_id)
        other = colliding(self.owners, magic, strategy_id)
        if other is None:
            return None
        return (
            f"strategies {other} and {strategy_id} have the same magic number {magic} "
            f"on account {self._account}, so their positions could not be told apart; "
            "create the second one anew on the server, under another id"
        )

    def members_on(self, bar: Bar) -> list[Member]:
        """Return the members that decide on *bar*."""
        return [
            member
            for member in self.members.values()
            if member.context.timeframe is bar.timeframe
            and bar.symbol in member.context.parameters
        ]

    @property
    def versions(self) -> Mapping[int, int]:
        """Strategy id to the version that it runs on."""
        return {
            member.strategy_id: member.config.version
            for member in self.members.values()
        }

    def timeframe(self, record: StrategyRecord) -> Timeframe:
        """Return the timeframe whose bars a strategy gets."""
        return record.cls.timeframe or self._default_timeframe

    # -- called at the safe point ------------------------------------------------------
    def choose(self, strategy_id: int | None) -> None:
        """Let *strategy_id* open positions, and no other."""
        self._chosen = strategy_id
        if strategy_id is not None and self.collision(strategy_id) is None:
            # What it held before a loss of our state is ours from now on.
            self._own(magic_number(self._account, strategy_id), strategy_id)
        for member in self.members.values():
            member.is_leaving = member.strategy_id != strategy_id

    def put_in_force(
        self,
        record: StrategyRecord,
        config: StrategyConfig,
        warm_up: Mapping[str, int],
        now: datetime,
    ) -> None:
        """Let a strategy run on *config*.

        Args:
            record: Its class; another than before takes its place.
            config: The config.
            warm_up: Each symbol that can be traded, to the closed bars it needs.
            now: The market's time, UTC-aware.
        """
        strategy_id = config.bot_strategy_id
        member = self.members.get(strategy_id)
        if member is not None and member.hosted.record.cls is not record.cls:
            self._dismiss(member, now)
            member = None
        is_new = member is None
        member = member or self._engage(record, config)
        parameters = {name: config.parameters_by_symbol[name] for name in warm_up}
        member.context.parameters = {**member.context.parameters, **parameters}
        member.warm_up |= warm_up
        member.tradable = frozenset(warm_up)
        member.config = config
        self._let_go(member)
        if is_new:
            member.hosted.start(now)
        else:
            member.hosted.renew()

    def release(self, now: datetime) -> None:
        """Let go of vanished symbols and leaving members that hold nothing more."""
        for member in list(self.members.values()):
            self._let_go(member)
            self._forget_closed(member, now)
            if member.is_leaving and not self._holds(member):
                self._dismiss(member, now)

    def stop(self, now: datetime) -> None:
        """Stop every strategy."""
        for member in self.members.values():
            member.hosted.stop(now)

    def _let_go(self, member: Member) -> None:
        # A symbol that vanished keeps its last parameters while a position is open in
        # it, so that the strategy can go on managing that position.
        gone = [
            name
            for name in member.symbols
            if name not in member.tradable and member.context.is_flat(name)
        ]
        if gone:
            member.context.parameters = {
                name: value
                for name, value in member.context.parameters.items()
                if name not in gone
            }

    def _forget_closed(self, member: Member, now: datetime) -> None:
        positions, account = self._view.positions, self._view.account
        is_cut_off = account is None or not account.trade_allowed
        if positions is None or is_cut_off or self._view.newest_tick_at is None:
            return
        member.context.memory.forget_closed({one.ticket for one in positions}, now)

    def _holds(self, member: Member) -> bool:
        positions, orders = self._view.positions, self._view.orders
        if positions is None or orders is None or not self._view.is_current:
            return True
        magic = member.context.magic
        return bool(member.held) or any(order.magic == magic for order in orders)

    def _engage(self, record: StrategyRecord, config: StrategyConfig) -> Member:
        strategy_id = config.bot_strategy_id
        magic = magic_number(self._account, strategy_id)
        self._own(magic, strategy_id)
        context = Context(
            self._view,
            strategy_id=strategy_id,
            magic=magic,
            timeframe=self.timeframe(record),
            memory=StrategyMemory(self._store, strategy_id),
            is_unresolved=self._desk.is_unresolved,
        )
        member = Member(
            strategy_id=strategy_id,
            hosted=HostedStrategy(
                record, context, self._host, freezes=Freezes(self._store)
            ),
            context=context,
            config=config,
            is_leaving=strategy_id != self._chosen,
        )
        self.members[strategy_id] = member
        return member

    def _own(self, magic: int, strategy_id: int) -> None:
        if magic in self.owners:
            return
        self.owners[magic] = strategy_id
        try:
            self._store.put(_MAGICS, str(strategy_id), magic)
        except StateError as error:
            # It opens nothing either while nothing can be written (the desk's rule).
            log.error("strategy %d's number was not saved: %s", strategy_id, error)  # noqa: TRY400 - the message says it all

    def _dismiss(self, member: Member, now: datetime) -> None:
        member.hosted.stop(now)
        del self.members[member.strategy_id]
        log.info("%s holds nothing any more and stopped", member.hosted.name)
