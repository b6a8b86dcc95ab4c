"""One symbol of the simulated broker: its rules, its quote, its bars and ticks."""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.bars import TICKS, BarHistory, Rows
from runner.adapters.mt5_simulator.sessions import USUAL, Sessions, read_sessions
from runner.adapters.mt5_simulator.structs import SymbolInfo, Tick
from runner.adapters.mt5_simulator.symbol_table import COMMON, built_in_symbols
from runner.core.market import Timeframe
from runner.core.matching import ask_price, round_to_tick

CALCULATED: Final = frozenset(
    {
        mt5.SYMBOL_CALC_MODE_FOREX,
        mt5.SYMBOL_CALC_MODE_FOREX_NO_LEVERAGE,
        mt5.SYMBOL_CALC_MODE_FUTURES,
        mt5.SYMBOL_CALC_MODE_CFD,
        mt5.SYMBOL_CALC_MODE_CFDINDEX,
        mt5.SYMBOL_CALC_MODE_CFDLEVERAGE,
        mt5.SYMBOL_CALC_MODE_EXCH_STOCKS,
        mt5.SYMBOL_CALC_MODE_EXCH_FUTURES,
    }
)
"""Kinds of symbol whose profit and margin are simulated."""

SWAPPED: Final = frozenset(range(mt5.SYMBOL_SWAP_MODE_INTEREST_OPEN + 1))
"""Swap modes that are simulated; the reopening ones are not."""

_DAY_MSC: Final = 86_400_000
_QUOTED: Final = mt5.TICK_FLAG_BID | mt5.TICK_FLAG_ASK
_POINTS: Final = mt5.SYMBOL_SWAP_MODE_POINTS
_REQUIRED: Final = ("digits", "trade_contract_size", "currency_profit")
_POSITIVE: Final = (
    "point",
    "trade_tick_size",
    "trade_contract_size",
    "volume_min",
    "volume_max",
    "volume_step",
    "margin_rate",
)
_TYPES: Final[Mapping[str, type]] = {
    name: {"bool": bool, "int": int, "float": float, "str": str}[kind]
    for name, kind in SymbolInfo.__annotations__.items()
} | {"margin_rate": float}
_EMPTY: Final[Mapping[str, Any]] = {
    name: kind() for name, kind in _TYPES.items() if name != "margin_rate"
}
_INDEX: Final = {name: index for index, name in enumerate(SymbolInfo.__match_args__)}


class SymbolsError(ValueError):
    """The symbols that were asked for cannot be made; the text says where and why."""


class Symbol:
    """What the broker knows about one symbol, and its market of the moment.

    Args:
        name: The broker's spelling.
        fields: `symbol_info` fields by name, checked and complete.
        limit: Bars and ticks remembered, at least.
    """

    def __init__(self, name: str, fields: Mapping[str, Any], limit: int) -> None:
        self.name = name
        self.fields = dict(fields)
        self.digits: int = fields["digits"]
        self.point: float = fields["point"]
        self.tick_size: float = fields["trade_tick_size"]
        self.contract_size: float = fields["trade_contract_size"]
        self.default_spread: int = fields["spread"]
        self.calc_mode: int = fields["trade_calc_mode"]
        self.margin_rate: float = fields["margin_rate"]
        self.stops_level: int = fields["trade_stops_level"]
        self.freeze_level: int = fields["trade_freeze_level"]
        self.selected: bool = fields["select"]
        self.book_is_open = False
        self.bid: float = fields["bid"]
        self.ask: float = fields["ask"]
        self.time_msc = 0
        self.bars: BarHistory | None = None
        self.ticks = Rows(TICKS, limit)
        self.sessions: Sessions | None = fields["sessions"]
        self._limit = limit
        self._day = -1
        self._bid_range = self._ask_range = (0.0, 0.0)
        self._tick: Tick | None = None
        self._template = [fields[name] for name in SymbolInfo.__match_args__]

    @property
    def is_quoted(self) -> bool:
        """Whether there is a quote, or at least a rate given for conversion."""
        return self.bid > 0

    @property
    def spread(self) -> int:
        """The present spread in points."""
        return round((self.ask - self.bid) / self.point)

    def history(self, base: Timeframe) -> BarHistory:
        """Return the symbol's bars, begun in *base* if there are none yet."""
        if self.bars is None:
            self.bars = BarHistory(base, self._limit)
        return self.bars

    def is_traded_at(self, time: int) -> bool:
        """Say whether one of its sessions is open.

        Args:
            time: Seconds of the server's wall clock.
        """
        return self.sessions is None or self.sessions.are_open(time)

    def ask_above(self, bid: float, spread: int) -> float:
        """Return the ask *spread* points above *bid*; 0 takes the default spread."""
        return ask_price(bid, spread or self.default_spread, self.point)

    def round(self, price: float) -> float:
        """Return *price* on the symbol's grid."""
        return round_to_tick(price, self.tick_size)

    def set_quote(self, time_msc: int, bid: float, ask: float) -> None:
        """Take a quote: the tick, its record and the day's range follow it.

        Args:
            time_msc: Milliseconds of the server's wall clock.
            bid: Price.
            ask: Price.
        """
        self.bid = bid
        self.ask = ask
        self.time_msc = time_msc
        self._tick = None
        self.ticks.append((time_msc // 1000, bid, ask, 0.0, 0, time_msc, _QUOTED, 0.0))
        day = time_msc // _DAY_MSC
        if day != self._day:
            self._day = day
            self._bid_range = (bid, bid)
            self._ask_range = (ask, ask)
        else:
            self.note_range(bid, bid, ask - bid)

    def note_range(self, low: float, high: float, spread: float) -> None:
        """Widen the day's range by bids from *low* to *high*, *spread* apart."""
        lowest, highest = self._bid_range
        if low < lowest or high > highest:
            self._bid_range = (min(lowest, low), max(highest, high))
        lowest, highest = self._ask_range
        if low + spread < lowest or high + spread > highest:
            ask_low, ask_high = round(low + spread, 8), round(high + spread, 8)
            self._ask_range = (min(lowest, ask_low), max(highest, ask_high))

    def tick(self) -> Tick:
        """Return the latest quote as the module shows it."""
        if self._tick is None:
            self._tick = Tick(
                (
                    self.time_msc // 1000,
                    self.bid,
                    self.ask,
                    0.0,
                    0,
                    self.time_msc,
                    _QUOTED,
                    0.0,
                )
            )
        return self._tick

    def info(self, value_of_profit: float, value_of_loss: float) -> SymbolInfo:
        """Return everything about the symbol as the module shows it.

        Args:
            value_of_profit: One tick of one lot gained, in account currency.
            value_of_loss: One tick of one lot lost, in account currency.
        """
        values = self._template.copy()
        for name, value in (
            ("select", self.selected),
            ("visible", self.selected),
            ("time", self.time_msc // 1000),
            ("spread", self.spread if self.is_quoted else 0),
            ("bid", self.bid),
            ("bidlow", self._bid_range[0]),
            ("bidhigh", self._bid_range[1]),
            ("ask", self.ask),
            ("asklow", self._ask_range[0]),
            ("askhigh", self._ask_range[1]),
            ("trade_tick_value", value_of_profit),
            ("trade_tick_value_profit", value_of_profit),
            ("trade_tick_value_loss", value_of_loss),
        ):
            values[_INDEX[name]] = value
        return SymbolInfo(values)


def read_symbols(path: Path) -> dict[str, dict[str, Any]]:
    """Read a ``--symbols`` file: symbol to `symbol_info` fields.

    Args:
        path: A JSON file.

    Raises:
        SymbolsError: If it cannot be read; each fault with its path in the file.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise SymbolsError(f"{path}: not readable as JSON: {error}") from error
    try:
        resolve_symbols(content)
    except SymbolsError as error:
        raise SymbolsError(f"{path}: {error}") from None
    return dict(content)


def resolve_symbols(
    overrides: object, *, usual_sessions: bool = False
) -> dict[str, dict[str, Any]]:
    """Return every symbol's complete fields: the built-in ones, and *overrides*.

    A new symbol needs ``digits``, ``trade_contract_size`` and ``currency_profit``.
    ``point`` follows ``digits`` and ``trade_tick_size`` follows ``point`` unless
    given. ``spread`` is the one for feeds without any; ``bid`` and ``ask`` are rates
    to convert with until the feed brings some. Two are no fields of `symbol_info`:
    ``margin_rate`` multiplies the margin, ``sessions`` are the times at which the
    symbol is traded, which is always without any.

    Args:
        overrides: Symbol to `symbol_info` fields by name.
        usual_sessions: Whether symbols without sessions have those of their folder.

    Raises:
        SymbolsError: Every fault with its path.
    """
    symbols = built_in_symbols()
    faults: list[str] = []
    for name, fields in _mapping("$", overrides, faults).items():
        checked = _checked(name, _mapping(f"$.{name}", fields, faults), faults)
        known = symbols.setdefault(name, {})
        if "digits" in checked and "digits" in known:
            _rescale(known, checked["digits"] - known["digits"])
        known.update(checked)
        faults.extend(
            f"$.{name}.{field}: needed, since {name} is not a built-in symbol"
            for field in _REQUIRED
            if field not in known
        )
    if faults:
        raise SymbolsError("; ".join(faults))
    return {
        name: _completed(name, fields, usual_sessions)
        for name, fields in symbols.items()
    }


def with_digits(
    overrides: Mapping[str, Mapping[str, Any]], digits: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """Return *overrides* with digits for symbols whose feed shows more of them.

    A feed's prices decide unless the user gave digits: XAUUSD has 2 here, but a feed
    with prices of 3 decimals makes it 3, and its points a thousandth. Fewer decimals
    than the symbol has prove nothing.

    Args:
        overrides: As for `resolve_symbols`.
        digits: Symbol to the decimals of the feed's prices.
    """
    merged = {name: dict(fields) for name, fields in overrides.items()}
    built_in = built_in_symbols()
    for name, decimals in digits.items():
        given = merged.get(name, {})
        known = built_in.get(name, {}).get("digits", decimals)
        if decimals > known and not given.keys() & {"digits", "point"}:
            merged.setdefault(name, {})["digits"] = decimals
    return merged


def _mapping(path: str, value: object, faults: list[str]) -> Mapping[str, object]:
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value)
    faults.append(f"{path}: expected an object, got {value!r}")
    return {}


def _rescale(fields: dict[str, Any], more_digits: int) -> None:
    # What is counted in points keeps its price when the points get smaller.
    fields["spread"] = round(fields["spread"] * 10.0**more_digits)
    if fields.get("swap_mode", _POINTS) == _POINTS:
        fields["swap_long"] *= 10.0**more_digits
        fields["swap_short"] *= 10.0**more_digits


def _checked(
    name: str, fields: Mapping[str, object], faults: list[str]
) -> dict[str, Any]:
    checked: dict[str, Any] = {}
    for field, value in fields.items():
        path = f"$.{name}.{field}"
        if field == "sessions":
            checked[field] = read_sessions(path, value, faults)
            continue
        expected = _TYPES.get(field)
        if expected is None:
            near = difflib.get_close_matches(field, (*_TYPES, "sessions"), n=1)
            hint = f", did you mean {near[0]}?" if near else ""
            faults.append(f"{path}: no field of symbol_info{hint}")
        elif expected is float and type(value) is int:
            checked[field] = float(value)
        elif type(value) is not expected:
            faults.append(f"{path}: expected {expected.__name__}, got {value!r}")
        else:
            checked[field] = value
    faults.extend(
        f"$.{name}.{field}: must be > 0, got {checked[field]!r}"
        for field in _POSITIVE
        if field in checked and not checked[field] > 0
    )
    if not 0 <= checked.get("digits", 0) <= 8:  # noqa: PLR2004  # core.matching's limit
        faults.append(f"$.{name}.digits: must be 0 to 8, got {checked['digits']}")
    faults.extend(
        f"$.{name}.{field}: {checked[field]} is not simulated"
        for field, simulated in (
            ("trade_calc_mode", CALCULATED),
            ("swap_mode", SWAPPED),
        )
        if field in checked and checked[field] not in simulated
    )
    return checked


def _completed(
    name: str, fields: Mapping[str, Any], usual_sessions: bool
) -> dict[str, Any]:
    complete: dict[str, Any] = {
        **_EMPTY,
        **COMMON,
        "margin_rate": 1.0,
        **fields,
        "name": name,
    }
    folder = complete["path"].partition("\\")[0]
    complete.setdefault("sessions", USUAL.get(folder) if usual_sessions else None)
    complete["point"] = fields.get("point", round(10.0 ** -fields["digits"], 8))
    complete["trade_tick_size"] = fields.get("trade_tick_size", complete["point"])
    if not complete["ask"]:
        complete["ask"] = complete["bid"]
    if not complete["currency_margin"]:
        complete["currency_margin"] = complete["currency_profit"]
    return complete
