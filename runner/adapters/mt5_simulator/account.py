"""The simulated account: its money, its margin, and what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import attrs

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.history import History
from runner.adapters.mt5_simulator.market import Market
from runner.adapters.mt5_simulator.records import OpenPosition, Order
from runner.adapters.mt5_simulator.structs import AccountInfo, TradeDeal, TradePosition
from runner.adapters.mt5_simulator.symbols import Symbol
from runner.core.orders import Side

_CENTS: Final = 2
_LOTS: Final = 8
_FIRST_ORDER: Final = 50_000_001
_FIRST_DEAL: Final = 60_000_001
"""Orders and deals are numbered apart, so that a mix-up finds nothing."""


@attrs.frozen(slots=True, kw_only=True)
class AccountRules:
    """What the broker fixes for an account.

    Attributes:
        login: Account number.
        currency: Account currency.
        leverage: 100 stands for 1:100.
        is_hedging: Several positions per symbol; else one net position.
        server: The trade server's name.
        name: The owner.
        margin_call: Margin level of the margin call, in percent.
        stop_out: Margin level below which positions are closed, in percent.
        commission: Per lot and deal, in account currency, >= 0.
        max_orders: Pending orders at once; 0 for no limit.
        fifo_close: Whether the oldest position of a symbol must be closed first.
    """

    login: int
    currency: str
    leverage: int
    is_hedging: bool
    server: str
    name: str = "Simulated account"
    margin_call: float = 50.0
    stop_out: float = 30.0
    commission: float = 0.0
    max_orders: int = 200
    fifo_close: bool = False


@attrs.frozen(slots=True)
class Figures:
    """The money of an account at one moment, in account currency."""

    balance: float
    profit: float
    swap: float
    margin: float
    credit: float

    @property
    def equity(self) -> float:
        """Balance, credit and everything that floats."""
        return round(self.balance + self.credit + self.profit + self.swap, _CENTS)

    @property
    def margin_free(self) -> float:
        """Equity that is left for new positions."""
        return round(self.equity - self.margin, _CENTS)

    @property
    def margin_level(self) -> float:
        """Equity in percent of the margin; 0.0 without any margin [K]."""
        return self.equity / self.margin * 100 if self.margin else 0.0


class SimulatedAccount:
    """Positions, pending orders, money and history of one account.

    Args:
        rules: What the broker fixes.
        market: The quotes that positions are valued with.
        deposit: The first balance, in account currency.
    """

    def __init__(self, rules: AccountRules, market: Market, deposit: float) -> None:
        self.rules = rules
        self.market = market
        self.balance = 0.0
        self.credit = 0.0
        self.positions: dict[int, OpenPosition] = {}
        self.orders: dict[int, Order] = {}
        self.history = History()
        self.trade_allowed = True
        self.expert_allowed = True
        self.equity_low = deposit
        """Lowest equity that any quote or bar has shown."""
        self._margin = 0.0
        self._revision = 0
        self._next_order = _FIRST_ORDER
        self._next_deal = _FIRST_DEAL
        self._deposit: float | None = deposit
        self._figures: tuple[tuple[int, int], Figures] | None = None
        self._info: tuple[tuple[object, ...], AccountInfo] | None = None
        self._shown: tuple[tuple[int, int], tuple[TradePosition, ...]] | None = None
        self.balance = round(deposit, _CENTS)

    def begin(self) -> None:
        """Write the deposit into the history, at the market's first moment."""
        if self._deposit is not None:
            amount, self._deposit = self._deposit, None
            self._book(mt5.DEAL_TYPE_BALANCE, amount, "Deposit")

    def transfer(self, amount: float, comment: str = "") -> None:
        """Deposit *amount*, or withdraw it if negative, in account currency."""
        self.balance = round(self.balance + amount, _CENTS)
        self._book(mt5.DEAL_TYPE_BALANCE, amount, comment)
        self.changed()

    def grant_credit(self, amount: float, comment: str = "") -> None:
        """Grant credit, or take it back if negative, in account currency."""
        self.credit = round(self.credit + amount, _CENTS)
        self._book(mt5.DEAL_TYPE_CREDIT, amount, comment)
        self.changed()

    def new_order_ticket(self) -> int:
        """Return the next number for an order."""
        self._next_order += 1
        return self._next_order - 1

    def new_deal_ticket(self) -> int:
        """Return the next number for a deal."""
        self._next_deal += 1
        return self._next_deal - 1

    def changed(self) -> None:
        """Note that positions, orders or money changed; must follow every change."""
        self._revision += 1
        for held in self.positions.values():
            held.valued_at = -1
        self._margin = self.margin_of(self.positions.values())

    def positions_in(self, symbol: Symbol) -> list[OpenPosition]:
        """Return the positions in *symbol*, oldest first."""
        return [held for held in self.positions.values() if held.symbol is symbol]

    def orders_in(self, symbol: Symbol) -> list[Order]:
        """Return the pending orders in *symbol*, oldest first."""
        return [order for order in self.orders.values() if order.symbol is symbol]

    def volume_of(self, symbol: Symbol, side: Side) -> float:
        """Return the lots open and pending in one direction."""
        held = sum(p.volume for p in self.positions_in(symbol) if p.side is side)
        waiting = sum(o.volume for o in self.orders_in(symbol) if o.side is side)
        return round(held + waiting, _LOTS)

    def profit(self, held: OpenPosition) -> float:
        """Return a position's floating profit, without swap, in account currency."""
        if held.valued_at != self.market.revision:
            symbol = held.symbol
            held.value = self.profit_at(held, (symbol.bid, symbol.ask))
            held.valued_at = self.market.revision
        return held.value

    def profit_at(self, held: OpenPosition, quote: tuple[float, float]) -> float:
        """Return what a position's profit would be at another bid and ask."""
        is_buy = held.is_buy
        return self.market.profit(
            held.symbol, is_buy, held.volume, held.price_open, quote[0 if is_buy else 1]
        )

    def margin_of(self, positions: Iterable[OpenPosition]) -> float:
        """Return the margin of *positions* together, in account currency.

        Opposite volumes of one symbol cover each other: the covered lots cost
        ``margin_hedged`` in place of the contract size, once for both sides, the
        larger leg's remainder costs its own margin [D].
        """
        legs: dict[Symbol, dict[Side, tuple[float, float]]] = {}
        for held in positions:
            sides = legs.setdefault(held.symbol, {})
            volume, margin = sides.get(held.side, (0.0, 0.0))
            sides[held.side] = (volume + held.volume, margin + held.margin)
        total = 0.0
        for symbol, sides in legs.items():
            long, short = (
                sides.get(side, (0.0, 0.0)) for side in (Side.BUY, Side.SELL)
            )
            larger, smaller = (long, short) if long[0] >= short[0] else (short, long)
            if not smaller[0]:
                total += larger[1]
            elif symbol.fields["margin_hedged_use_leg"]:
                total += max(long[1], short[1])
            else:
                covered = smaller[0]
                per_lot = (long[1] + short[1]) / (long[0] + short[0])
                share = symbol.fields["margin_hedged"] / symbol.contract_size
                total += covered * per_lot * share
                total += larger[1] * (larger[0] - covered) / larger[0]
        return round(total, _CENTS)

    def figures(self) -> Figures:
        """Return the account's money now."""
        key = (self._revision, self.market.revision if self.positions else 0)
        if self._figures is None or self._figures[0] != key:
            held = self.positions.values()
            figures = Figures(
                self.balance,
                round(sum(map(self.profit, held), 0.0), _CENTS),
                round(sum((position.swap for position in held), 0.0), _CENTS),
                self._margin,
                self.credit,
            )
            self._figures = (key, figures)
            self.equity_low = min(self.equity_low, figures.equity)
        return self._figures[1]

    def equity_at(self, quotes: Mapping[Symbol, tuple[float, float]]) -> float:
        """Return the equity if these symbols stood at these bids and asks."""
        floating = 0.0
        for held in self.positions.values():
            quote = quotes.get(held.symbol)
            floating += held.swap + (
                self.profit(held) if quote is None else self.profit_at(held, quote)
            )
        equity = round(self.balance + self.credit + floating, _CENTS)
        self.equity_low = min(self.equity_low, equity)
        return equity

    def is_stopped_out(self, equity: float) -> bool:
        """Say whether the broker closes positions at that *equity*."""
        if not self.positions:
            return False
        return equity < 0 or equity < self._margin * self.rules.stop_out / 100

    def shown_positions(self) -> tuple[TradePosition, ...]:
        """Return every position as the module shows it, oldest first."""
        if not self.positions:
            return ()
        key = (self._revision, self.market.revision)
        if self._shown is None or self._shown[0] != key:
            shown = tuple(
                held.shown(self.profit(held)) for held in self.positions.values()
            )
            self._shown = (key, shown)
        return self._shown[1]

    def info(self) -> AccountInfo:
        """Return the account as the module shows it."""
        figures = self.figures()
        key = (figures, self.trade_allowed, self.expert_allowed)
        if self._info is None or self._info[0] != key:
            self._info = (key, self._make_info(figures))
        return self._info[1]

    def _make_info(self, figures: Figures) -> AccountInfo:
        rules = self.rules
        hedging = mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
        netting = mt5.ACCOUNT_MARGIN_MODE_RETAIL_NETTING
        return AccountInfo(
            (
                rules.login,
                mt5.ACCOUNT_TRADE_MODE_DEMO,
                rules.leverage,
                rules.max_orders,
                mt5.ACCOUNT_STOPOUT_MODE_PERCENT,
                self.trade_allowed,
                self.expert_allowed,
                hedging if rules.is_hedging else netting,
                _CENTS,
                rules.fifo_close,
                figures.balance,
                figures.credit,
                figures.profit,
                figures.equity,
                figures.margin,
                figures.margin_free,
                figures.margin_level,
                rules.margin_call,
                rules.stop_out,
                0.0,
                0.0,
                0.0,
                0.0,
                0.0,
                rules.name,
                rules.server,
                rules.currency,
                "mt5runner",
            )
        )

    def _book(self, deal_type: int, amount: float, comment: str) -> None:
        deal = TradeDeal(
            (
                self.new_deal_ticket(),
                0,
                self.market.time,
                self.market.time_msc,
                deal_type,
                mt5.DEAL_ENTRY_IN,
                0,
                0,
                mt5.DEAL_REASON_CLIENT,
                0.0,
                0.0,
                0.0,
                0.0,
                round(amount, _CENTS),
                0.0,
                "",
                comment,
                "",
            )
        )
        self.history.deals.add(self.market.time, deal)
