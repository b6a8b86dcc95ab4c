"""Symbols: the broker's spelling of a name, found but never guessed, and its rules.

Outside this adapter a symbol has one name, the one that the server configures. The
broker's spelling of it, such as ``EURUSD.r``, exists here only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import attrs

from runner.adapters.mt5 import terminal as mt5
from runner.adapters.mt5.session import Session
from runner.adapters.mt5.settings import MT5Settings
from runner.adapters.mt5.structs import SymbolInfo
from runner.adapters.mt5.terminal import Terminal
from runner.core.market import SymbolSpec

_CLOSED_TO_ENTRIES = {mt5.SYMBOL_TRADE_MODE_DISABLED, mt5.SYMBOL_TRADE_MODE_CLOSEONLY}
_PAIR = re.compile(r"[A-Z]{6}")
_MASK_CHARACTERS = re.compile(r"[*!,]")


class SymbolError(KeyError):
    """The broker has no such symbol, or more than one that could be meant."""

    def __str__(self) -> str:
        """Return the message, without the quotes of a KeyError."""
        return str(self.args[0])


@attrs.frozen(slots=True, kw_only=True)
class SymbolRules:
    """What a symbol allows.

    Attributes:
        spec: The rules that everybody sees.
        execution: ``SYMBOL_TRADE_EXECUTION_*``.
        filling_mask: Bits of the filling modes that the symbol takes.
        order_mask: Bits of the kinds of order that it takes: 2 limit, 4 stop.
        expiration_mask: Bits of the lives of pending orders that it takes: 1 until
            cancelled, 2 the day, 4 until a moment.
    """

    spec: SymbolSpec
    execution: int
    filling_mask: int
    order_mask: int = 0x7F
    expiration_mask: int = 0x0F


def rules_from(name: str, info: SymbolInfo) -> SymbolRules:
    """Return the rules that the terminal states, under our *name*."""
    return SymbolRules(
        spec=SymbolSpec(
            name=name,
            digits=info.digits,
            point=info.point,
            # Some brokers state no tick size; the point is the grid then.
            tick_size=info.trade_tick_size or info.point,
            tick_value=info.trade_tick_value,
            contract_size=info.trade_contract_size,
            volume_min=info.volume_min,
            volume_max=info.volume_max,
            volume_step=info.volume_step,
            volume_limit=info.volume_limit,
            stops_level=info.trade_stops_level,
            freeze_level=info.trade_freeze_level,
            currency_base=info.currency_base,
            currency_profit=info.currency_profit,
            currency_margin=info.currency_margin,
            entries_allowed=info.trade_mode not in _CLOSED_TO_ENTRIES,
        ),
        execution=info.trade_exemode,
        filling_mask=info.filling_mode,
        order_mask=info.order_mode,
        expiration_mask=info.expiration_mode,
    )


def choose(name: str, symbols: Iterable[SymbolInfo]) -> str:
    """Return the one symbol that is *name* with a prefix or suffix.

    Symbols that take no entries are left out, and for a name of six capitals those
    of other currencies: EURUSD is base EUR and profit USD, whatever surrounds it.

    Args:
        name: The name asked for, which is no symbol of the broker's itself.
        symbols: The broker's symbols that contain it.

    Raises:
        SymbolError: If none fits or several do. It names them.
    """
    variants = [info for info in symbols if _is_variant(name, info.name)]
    fitting = sorted(info.name for info in variants if _fits(name, info))
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise SymbolError(
            f"symbol {name!r}: several could be meant, {', '.join(fitting)}; name the "
            f"right one in the symbol aliases"
        )
    unfit = ", ".join(
        f"{info.name} ({info.currency_base}/{info.currency_profit}, trade mode "
        f"{info.trade_mode})"
        for info in sorted(variants, key=lambda info: info.name)
    )
    found = f"{unfit} do not fit" if unfit else "nor any with a prefix or suffix"
    raise SymbolError(
        f"symbol {name!r}: the broker has none of this name; {found}; name the "
        f"broker's spelling in the symbol aliases"
    )


def _is_variant(name: str, candidate: str) -> bool:
    before, found, after = candidate.partition(name)
    return bool(found) and not (
        _same_word(before[-1:], name[:1]) or _same_word(name[-1:], after[:1])
    )


def _same_word(left: str, right: str) -> bool:
    # US300 is not US30 with a suffix, and GOLDMAN is no GOLD.
    return (
        (left.isdigit() and right.isdigit())
        or (left.isupper() and right.isupper())
        or (left.islower() and right.islower())
    )


def _fits(name: str, info: SymbolInfo) -> bool:
    if info.trade_mode in _CLOSED_TO_ENTRIES:
        return False
    if not _PAIR.fullmatch(name):
        return True
    return (info.currency_base, info.currency_profit) == (name[:3], name[3:])


class Symbols:
    """The symbols in use, by our names.

    Args:
        terminal: The MetaTrader5 module or its twin.
        session: The connection.
        settings: Aliases, and how long rules are good for.
    """

    def __init__(
        self, terminal: Terminal, session: Session, settings: MT5Settings
    ) -> None:
        self._terminal = terminal
        self._session = session
        self._aliases = settings.aliases
        self._age_ms = round(settings.rules_age.total_seconds() * 1000)
        self._spellings: dict[str, str] = {}
        self._names = {spelling: name for name, spelling in self._aliases.items()}
        self._rules: dict[str, tuple[SymbolRules, int]] = {}
        self._selected: set[str] = set()
        self._generation = 0

    @property
    def in_use(self) -> tuple[str, ...]:
        """Our names of the symbols asked for so far."""
        return tuple(self._spellings)

    def name(self, spelling: str) -> str:
        """Return our name of a broker's symbol; its own where we have none."""
        return self._names.get(spelling, spelling)

    def resolve(self, name: str) -> str:
        """Return the broker's spelling of *name*, seen to be in Market Watch.

        Once found it stays: a name must never come to mean another symbol.

        Raises:
            SymbolError: If there is none, or none for certain.
            UnavailableError: If the terminal cannot be asked.
        """
        self._session.ready()
        if self._generation != self._session.generation:
            self._selected.clear()
            self._generation = self._session.generation
        spelling = self._spellings.get(name)
        if spelling is not None and spelling in self._selected:
            return spelling
        if spelling is None:
            spelling = self._search(name)
            other = self._names.setdefault(spelling, name)
            if other != name:
                raise SymbolError(
                    f"symbol {name!r}: it would be {spelling}, which is in use as "
                    f"{other!r}; keep one of the two names"
                )
            self._spellings[name] = spelling
        if not self._terminal.symbol_select(spelling, True):
            raise self._session.failure("symbol_select", *self._terminal.last_error())
        self._selected.add(spelling)
        return spelling

    def deselected(self, spelling: str) -> None:
        """Take in that somebody took a symbol out of Market Watch."""
        self._selected.discard(spelling)

    def rules(self, name: str, market_ms: int) -> SymbolRules:
        """Return the rules of *name*, read again at times: tick values move.

        Args:
            name: Our name.
            market_ms: The market's present time in milliseconds, any clock.
        """
        spelling = self.resolve(name)
        known = self._rules.get(spelling)
        if known is not None and abs(market_ms - known[1]) < self._age_ms:
            return known[0]
        rules = self.fresh_rules(name)
        self._rules[spelling] = (rules, market_ms)
        return rules

    def fresh_rules(self, name: str) -> SymbolRules:
        """Read the rules of *name* now."""
        spelling = self.resolve(name)
        info = self._terminal.symbol_info(spelling)
        return rules_from(name, self._session.answer("symbol_info", info))

    def _search(self, name: str) -> str:
        alias = self._aliases.get(name)
        if alias is not None:
            if not self._exists(alias):
                raise SymbolError(
                    f"symbol {name!r}: its alias {alias!r} is no symbol of this broker"
                )
            return alias
        if self._exists(name):
            return name
        if not name or _MASK_CHARACTERS.search(name):
            raise SymbolError(f"symbol {name!r}: not a name that a symbol can have")
        found = self._terminal.symbols_get(group=f"*{name}*")
        return choose(name, self._session.answer("symbols_get", found))

    def _exists(self, spelling: str) -> bool:
        if self._terminal.symbol_info(spelling) is not None:
            return True
        code, text = self._terminal.last_error()
        if code == mt5.RES_E_NOT_FOUND:
            return False
        raise self._session.failure("symbol_info", code, text)
