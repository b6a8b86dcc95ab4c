"""Knows which deal is behind every change of the balance and every closed position."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs

from runner.core.account import Account
from runner.core.orders import Deal, Position
from runner.loop.view import View
from runner.ports import Broker, Clock, StateError, StateStore, UnavailableError

log = logging.getLogger("mt5runner.orders")

_NAMESPACE = "ledger"
_LOOK_BACK = timedelta(days=31)  # what the guards may need to know after a start
_OVERLAP = timedelta(hours=1)  # deals may show later than they are dated
_FIRST_DATE = datetime(2000, 1, 1, tzinfo=UTC)
_NOISE = 1e-8  # lots; less than any step of volume
_TRIES = 5  # readings, while the deal behind a new balance does not show yet
_PAUSE = 0.05  # seconds between two of them
_EXPLAIN_WITHIN = 5.0  # seconds after which a balance is taken without its deals
_SYNC_WITHIN = 30.0  # the same after a start: a terminal may fetch its history first
_FIND_WITHIN = 60.0  # seconds in which the deal of a closed position must show
_CENT = 0.011  # account currency; sums of rounded amounts


@attrs.define
class _Loss:
    """A position that lost volume whose deals were not all found yet."""

    volume: float
    until: float


@attrs.frozen
class _Kept:
    """What was on the account when somebody last looked."""

    balance: float
    credit: float
    newest: int  # the newest deal's ticket; 0 for none
    at: datetime  # when that deal was made, or somebody looked if there was none

    @classmethod
    def read(cls, record: Any) -> _Kept:
        at = datetime.fromisoformat(record["at"])
        return cls(
            balance=float(record["balance"]),
            credit=float(record["credit"]),
            newest=int(record["newest"]),
            at=at.astimezone(UTC),
        )

    def record(self) -> dict[str, Any]:
        return attrs.asdict(self) | {"at": self.at.isoformat()}


class Ledger:
    """Compares readings and fetches the deals behind what changed.

    A deposit that is taken for a profit, or a withdrawal that is taken for a loss, is
    a limit moved or an account blocked for nothing. So a reading whose balance is not
    explained by deals yet is no reading: the account is unknown until it is. The last
    balance is on disk, so that this holds for what happened while nobody looked, too:
    a terminal that was just started may show no deals yet.

    Args:
        broker: Where deals come from.
        view: The readings.
        clock: For the time that deals may take to show.
        store: Where the last balance is kept; None for an account that begins anew
            with each start.

    Attributes:
        closed: Symbol to the number of positions that were closed wholly.
        profit: Symbol to the profit of every closing deal, account currency.
    """

    def __init__(
        self,
        broker: Broker,
        view: View,
        clock: Clock,
        store: StateStore | None = None,
    ) -> None:
        self._broker = broker
        self._view = view
        self._clock = clock
        self._store = store
        self._open: dict[int, Position] = {}
        self._losses: dict[int, _Loss] = {}
        self._known: frozenset[int] = frozenset()
        self._newest = 0
        self._newest_at: datetime | None = None
        self._began: datetime = _FIRST_DATE
        self._since: datetime | None = None
        self._before: Account | None = None
        self._unexplained_at: float | None = None
        self.closed: Counter[str] = Counter()
        self.profit: dict[str, float] = defaultdict(float)

    @property
    def has_begun(self) -> bool:
        """Whether the deals before the start are known."""
        return self._before is not None

    def update(self, now: datetime) -> list[Deal]:
        """Return the deals that are new since the last call, oldest first.

        The first call returns those of the last month, or since the runner last
        looked if that is longer ago. If the deals behind a new balance cannot be told,
        the account becomes unknown.

        Args:
            now: The market's time, UTC-aware.
        """
        account, positions = self._view.account, self._view.positions
        if account is None or positions is None or not self._view.is_current:
            return []
        self._note_losses(positions)
        if self._before is None or self._since is None:
            # Before the first quote nobody knows where to begin.
            return [] if now < _FIRST_DATE else self._begin(account, now)
        if not self._losses and _money(account) == _money(self._before):
            self._unexplained_at = None
            return []
        return self._explain(self._before, now)

    def _begin(self, account: Account, now: datetime) -> list[Deal]:
        try:
            kept = self._kept(account)
            since = now - _LOOK_BACK
            if kept is not None:
                since = min(since, kept.at - _OVERLAP)
            deals = self._broker.deals(since)
            problem = self._missing(kept, account, deals)
        except (StateError, UnavailableError) as error:
            self._view.forget_account(f"the account's deals cannot be read: {error}")
            return []
        if problem and not self._is_overdue(problem, _SYNC_WITHIN):
            self._view.forget_account(f"its history is not there yet: {problem}")
            return []
        if kept is not None:
            self._newest, self._newest_at = kept.newest, kept.at
        self._since, self._before, self._unexplained_at = since, account, None
        self._began = now
        self._losses.clear()
        self._take(deals)
        self._keep(account, now)
        return list(deals)

    def _missing(
        self, kept: _Kept | None, account: Account, deals: Sequence[Deal]
    ) -> str:
        """Say what the deals do not explain, or do not show yet; empty if nothing."""
        if self._store is None:
            return ""
        if kept is None:
            # Every account began with a deposit.
            is_bare = not deals and not self._broker.deals(_FIRST_DATE)
            return "the terminal shows no deal at all" if is_bare else ""
        new = [deal for deal in deals if deal.ticket > kept.newest]
        if abs(gap := unexplained(kept, account, new)) >= _CENT:
            return (
                f"balance and credit moved by {gap:.2f} more than the deals that show"
            )
        if kept.newest and kept.newest not in {deal.ticket for deal in deals}:
            return f"deal {kept.newest} does not show"
        return ""

    def _kept(self, account: Account) -> _Kept | None:
        if self._store is None:
            return None
        record = self._store.get(_NAMESPACE, _key(account))
        if record is None:
            return None
        try:
            return _Kept.read(record)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateError(
                f"the last balance of {_key(account)} on disk is damaged ({error!r}); "
                "restore the state directory, or remove it to begin anew"
            ) from error

    def _keep(self, account: Account, now: datetime) -> None:
        if self._store is None:
            return
        kept = _Kept(
            balance=account.balance,
            credit=account.credit,
            newest=self._newest,
            at=self._newest_at or now,
        )
        try:
            self._store.put(_NAMESPACE, _key(account), kept.record())
        except StateError as error:
            # An older one on disk still says the truth about an earlier time.
            log.warning("the last balance was not saved: %s", error)

    def _note_losses(self, positions: Sequence[Position]) -> None:
        shown = {position.ticket: position for position in positions}
        now = self._clock.monotonic()
        for ticket, before in self._open.items():
            after = shown.get(ticket)
            lost = before.volume - (0.0 if after is None else after.volume)
            if lost > _NOISE:
                loss = self._losses.setdefault(ticket, _Loss(0.0, now + _FIND_WITHIN))
                loss.volume += lost
            if after is None:
                self.closed[before.symbol] += 1
        self._open = shown
        for ticket, loss in list(self._losses.items()):
            if now > loss.until:
                log.warning("position %d: no deal shows how it was closed", ticket)
                del self._losses[ticket]

    def _explain(self, before: Account, now: datetime) -> list[Deal]:
        """Fetch the deals behind what differs from *before*."""
        gap = 0.0
        for left in reversed(range(_TRIES)):
            account = self._view.account
            if account is None or self._since is None:
                return []
            try:
                deals = self._broker.deals(self._since)
            except UnavailableError as error:
                if _money(account) != _money(before):
                    self._view.forget_account(f"deals cannot be read: {error}")
                return []
            new = self._unheard(deals)
            gap = unexplained(before, account, new)
            problem = f"balance and credit moved by {gap:.2f} without any deal"
            if abs(gap) < _CENT or self._is_overdue(problem, _EXPLAIN_WITHIN):
                self._unexplained_at = None
                self._before = account
                self._take(deals)
                if new or _money(account) != _money(before):
                    self._keep(account, now)
                return self._closings_noted(new)
            if left:
                self._clock.wait(_PAUSE)
                self._view.read_account()
        self._view.forget_account(
            f"balance and credit moved by {gap:.2f} more than the deals that show"
        )
        return []

    def _is_overdue(self, problem: str, within: float) -> bool:
        now = self._clock.monotonic()
        if self._unexplained_at is None:
            self._unexplained_at = now
        if now - self._unexplained_at < within:
            return False
        log.warning("%s; taken as it is", problem)
        return True

    def _unheard(self, deals: Sequence[Deal]) -> list[Deal]:
        # What is older than the start was in the balance then, however late it shows.
        return [
            deal
            for deal in deals
            if deal.ticket not in self._known and deal.time >= self._began
        ]

    def _take(self, deals: Sequence[Deal]) -> None:
        for deal in deals:
            if deal.ticket > self._newest:
                self._newest, self._newest_at = deal.ticket, deal.time
        self._known = frozenset(deal.ticket for deal in deals) or self._known
        if deals and self._since is not None:
            newest = max(deal.time for deal in deals)
            self._since = max(self._since, newest - _OVERLAP)

    def _closings_noted(self, deals: Sequence[Deal]) -> list[Deal]:
        never_shown: dict[int, str] = {}
        for deal in deals:
            if deal.exit_reason is None:
                continue
            self._note(deal)
            loss = self._losses.get(deal.position_id)
            if loss is not None:
                loss.volume -= deal.volume
                if loss.volume <= _NOISE:
                    del self._losses[deal.position_id]
            elif deal.position_id not in self._open:
                # Opened and closed again between two looks.
                never_shown[deal.position_id] = deal.symbol
        self.closed.update(never_shown.values())
        return list(deals)

    def _note(self, deal: Deal) -> None:
        self.profit[deal.symbol] += deal.profit + deal.costs
        reason = deal.exit_reason.value if deal.exit_reason else "?"
        log.info(
            "closed %s %.2f %s at %s by %s: %+.2f",
            # The deal that closes a long position is a sale.
            "long" if deal.side is not None and deal.side.value == "sell" else "short",
            deal.volume,
            deal.symbol,
            deal.price,
            reason,
            deal.profit + deal.costs,
        )


def unexplained(
    before: Account | _Kept, after: Account, deals: Sequence[Deal]
) -> float:
    """Return by how much balance and credit moved beyond what *deals* did.

    Args:
        before: An earlier reading.
        after: A later one.
        deals: Between the two.

    Returns:
        The larger of the two gaps, account currency; 0.0 if all is explained.
    """
    money = sum(deal.profit + deal.costs for deal in deals if not deal.is_credit)
    credit = sum(deal.profit for deal in deals if deal.is_credit)
    gaps = (
        after.balance - before.balance - money,
        after.credit - before.credit - credit,
    )
    return max(gaps, key=abs)


def _money(account: Account) -> tuple[float, float]:
    return account.balance, account.credit


def _key(account: Account) -> str:
    return f"{account.login}@{account.server}"
