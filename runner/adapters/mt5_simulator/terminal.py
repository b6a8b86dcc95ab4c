"""The simulated terminal: the functions of the MetaTrader5 module as methods.

Names, arguments, results and failures are those of the real module (the sources are
named in ``docs/simulator.md``). The market stands still until somebody moves it: a
`Driver` with a feed, `quote`, or `pass_time`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from runner.adapters.mt5_simulator import arguments
from runner.adapters.mt5_simulator import constants as mt5
from runner.adapters.mt5_simulator.account import AccountRules, SimulatedAccount
from runner.adapters.mt5_simulator.calls import Switches, call
from runner.adapters.mt5_simulator.errors import (
    NO_CONNECTION,
    SUCCESS,
    CallFailedError,
)
from runner.adapters.mt5_simulator.execution import Executor
from runner.adapters.mt5_simulator.faults import Faults
from runner.adapters.mt5_simulator.latency import Latency
from runner.adapters.mt5_simulator.market import Market
from runner.adapters.mt5_simulator.quote_calls import MAX_BARS, QuoteCalls
from runner.adapters.mt5_simulator.structs import AccountInfo, TerminalInfo
from runner.adapters.mt5_simulator.symbols import Symbol
from runner.adapters.mt5_simulator.trade_calls import TradeCalls
from runner.adapters.mt5_simulator.trading import TradeServer
from runner.adapters.mt5_simulator.watch import Watch
from runner.core.market import Timeframe
from runner.core.server_time import NEW_YORK_CLOSE, ServerZone

_BUILD: Final = 6231
_VERSION: Final = (500, _BUILD, "27 Sep 2026")
_PATH_LIMIT: Final = 257
_SECRET_LIMIT: Final = 253


class SimulatedTerminal(QuoteCalls, TradeCalls):
    """A terminal with one account at a simulated broker.

    Args:
        login: The account's number.
        balance: First deposit, in account currency.
        currency: Account currency.
        leverage: 100 stands for 1:100.
        hedging: Several positions per symbol; else one net position.
        symbols: Symbol to `symbol_info` fields, over the built-in symbols; see
            `resolve_symbols`.
        server_zone: The server's wall clock.
        server: The trade server's name.
        password: The account's password; empty accepts any.
        slippage: Points by which market orders and stops are filled worse, >= 0.
        commission: Per lot and deal, in account currency, >= 0.
        margin_call: Margin level of the margin call, in percent.
        stop_out: Margin level below which positions are closed, in percent.
        max_orders: Pending orders at once; 0 for no limit.
        fifo_close: Whether the oldest position of a symbol must be closed first.
        usual_sessions: Whether the market closes at weekends, and metals and indices
            for an hour a day; sessions of a symbols file are in force anyhow.
        faults: A plan of failures.
    """

    def __init__(
        self,
        *,
        login: int = 123456,
        balance: float = 10_000.0,
        currency: str = "USD",
        leverage: int = 100,
        hedging: bool = True,
        symbols: Mapping[str, Mapping[str, Any]] | None = None,
        server_zone: ServerZone = NEW_YORK_CLOSE,
        server: str = "Simulated-Demo",
        password: str = "",
        slippage: float = 0.0,
        commission: float = 0.0,
        margin_call: float = 50.0,
        stop_out: float = 30.0,
        max_orders: int = 200,
        fifo_close: bool = False,
        usual_sessions: bool = False,
        faults: Faults | None = None,
    ) -> None:
        market = Market(
            symbols or {}, server_zone, currency, leverage, MAX_BARS, usual_sessions
        )
        rules = AccountRules(
            login=login,
            currency=currency,
            leverage=leverage,
            is_hedging=hedging,
            server=server,
            margin_call=margin_call,
            stop_out=stop_out,
            commission=commission,
            max_orders=max_orders,
            fifo_close=fifo_close,
        )
        account = SimulatedAccount(rules, market, balance)
        executor = Executor(account, market)
        trade_server = TradeServer(account, market, executor, slippage)
        self.watch = Watch(account, market, executor, slippage)
        latency = Latency(market, self.watch)
        super().__init__(market, account, trade_server, latency, Switches(), faults)
        self._password = password

    def reset(self, **options: Any) -> None:
        """Begin anew, as a terminal made with *options*.

        Functions taken from it, such as those of the stand-in module, stay good.
        """
        SimulatedTerminal.__init__(self, **options)

    def quote(self, symbol: str, bid: float, ask: float, time: datetime) -> None:
        """Let the market quote *symbol*; what the quote reaches is filled.

        Args:
            symbol: One of the broker's.
            bid: Price, > 0.
            ask: Price, not below *bid*.
            time: UTC-aware, not before the quote before.
        """
        self.take_quotes([(self.known(symbol), bid, ask)], self.wall_msc(time))

    def pass_time(self, time: datetime) -> None:
        """Let the server's clock go on without a quote.

        Nights cost their swap, orders lapse, sessions open and close.

        Args:
            time: UTC-aware; a time that is past changes nothing.
        """
        market = self.market
        market.time_msc = max(market.time_msc, self.wall_msc(time))
        self.account.begin()
        self.watch.pass_time()

    def known(self, symbol: str) -> Symbol:
        """Return a symbol of the broker; ValueError if there is none such."""
        known = self.market.symbols.get(symbol)
        if known is None:
            raise ValueError(
                f"symbol {symbol!r}: the simulated broker has "
                f"{', '.join(self.market.symbols)}; describe others in a symbols file"
            )
        return known

    def wall_msc(self, time: datetime) -> int:
        """Return the server's wall clock at *time*, in milliseconds since 1970."""
        seconds, microseconds = int(time.timestamp()), time.microsecond
        return self.market.zone.to_wall(seconds) * 1000 + microseconds // 1000

    def take_quotes(
        self, quotes: list[tuple[Symbol, float, float]], time_msc: int
    ) -> None:
        """Take quotes of one moment, each into its symbol's bars, and fill.

        Args:
            quotes: Symbol, bid and ask; one for each symbol at most.
            time_msc: Milliseconds of the server's wall clock.
        """
        market = self.market
        for symbol, bid, ask in quotes:
            if not 0 < bid <= ask:
                raise ValueError(
                    f"{symbol.name}: expected 0 < bid <= ask, got {bid} and {ask}"
                )
            market.set_quote(symbol, time_msc, bid, ask)
            bars = symbol.history(Timeframe.M1)
            bars.quote(time_msc // 1000, bid, symbol.spread)
        self.react([symbol for symbol, _, _ in quotes])

    def react(self, symbols: list[Symbol]) -> None:
        """Let account and server react to the present quotes of *symbols*."""
        self.account.begin()
        self.watch.pass_time()
        self.server.catch_up()
        self.watch.on_quotes(symbols)

    @call(False, offline=True)
    def initialize(self, *args: Any, **named: Any) -> bool:
        """Connect, and authorise if an account is named; keywords as in the module.

        Unknown keywords are ignored, as there.
        """
        self.down = NO_CONNECTION
        if len(args) > 1:
            raise CallFailedError(mt5.RES_E_INVALID_PARAMS, "Invalid arguments")
        if args:
            named = {**named, "path": args[0]}
        if "path" in named:
            arguments.text_argument("path", named["path"], _PATH_LIMIT)
        if not isinstance(named.get("portable", False), bool | int):
            raise arguments.invalid("portable")
        self._authorise("initialize", named)
        self.down = None
        return True

    @call(False)
    def login(self, *args: Any, **named: Any) -> bool:
        """Authorise an account: login, password, server, in this order."""
        names = ("login", "password", "server")
        if len(args) > len(names):
            raise CallFailedError(mt5.RES_E_INVALID_PARAMS, "Invalid arguments")
        named = {**named, **dict(zip(names, args, strict=False))}
        if "login" not in named:
            raise CallFailedError(mt5.RES_E_INVALID_PARAMS, "Invalid arguments")
        self._authorise("login", named)
        return True

    def _authorise(self, function: str, named: Mapping[str, Any]) -> None:
        rules = self.account.rules
        login, password, server = rules.login, self._password, rules.server
        if "login" in named:
            login = arguments.unsigned(function, "login", named["login"])
        if "password" in named:
            password = arguments.text_argument(
                "password", named["password"], _SECRET_LIMIT
            )
        if "server" in named:
            server = arguments.text_argument("server", named["server"], _SECRET_LIMIT)
        if "timeout" in named and not isinstance(named["timeout"], int):
            raise arguments.invalid("timeout")
        wrong_password = self._password and password != self._password
        if login != rules.login or server != rules.server or wrong_password:
            raise CallFailedError(mt5.RES_E_AUTH_FAILED)

    def shutdown(self) -> bool:
        """Let go of the terminal; it goes on running."""
        self.error = SUCCESS
        self.down = NO_CONNECTION
        return True

    @call((0, 0, ""))
    def version(self) -> tuple[int, int, str]:
        """Return the terminal's version, build and date."""
        return _VERSION

    @call(None)
    def terminal_info(self) -> TerminalInfo:
        """Return the terminal's state and switches."""
        switches = self.switches
        return TerminalInfo(
            (
                False,
                False,
                switches.connected,
                False,
                switches.trade_allowed,
                switches.tradeapi_disabled,
                False,
                False,
                False,
                False,
                _BUILD,
                MAX_BARS,
                0,
                0,
                0.0,
                0.0,
                "mt5runner",
                "Simulated terminal",
                "English",
                "",
                "",
                "",
            )
        )

    @call(None)
    def account_info(self) -> AccountInfo:
        """Return the account, valued at the present quotes."""
        return self.account.info()


for _name, _value in vars(mt5).items():
    if _name.isupper():
        setattr(SimulatedTerminal, _name, _value)
