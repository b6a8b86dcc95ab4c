"""What the loop needs from the outside world, as protocols that adapters fulfil."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

import attrs

from runner.core.account import Account
from runner.core.market import Bar, SymbolSpec, Tick, Timeframe
from runner.core.orders import (
    Deal,
    OrderRequest,
    OrderResult,
    PendingOrder,
    Position,
)
from runner.core.settings import EMPTY
from runner.wire.events import WakeUp


class UnavailableError(Exception):
    """An outside thing could not be reached or gave no answer: the state is unknown."""


class FeedError(ValueError):
    """A feed cannot be read or played; the text says where, what was expected, got."""


@attrs.frozen(kw_only=True)
class Login:
    """The account that a terminal must be on.

    Attributes:
        account: Account number; None takes the account that the terminal is on.
        password: Investor or master password; None uses the terminal's saved one.
        server: Trade server's name; None uses the terminal's saved one.
        terminal_path: The terminal's executable; required for several accounts.
    """

    account: int | None = None
    password: str | None = attrs.field(default=None, repr=False)
    server: str | None = None
    terminal_path: str | None = None


class MarketData(Protocol):
    """Quotes, bars and symbol rules. A failed call raises :class:`UnavailableError`."""

    def now(self) -> datetime:
        """Return the market's time, UTC-aware: the newest quote's, never the PC's."""
        ...

    def symbol(self, name: str) -> SymbolSpec:
        """Return the rules of symbol *name*; KeyError if the broker has none such."""
        ...

    def tick(self, symbol: str) -> Tick | None:
        """Return the latest quote, or None before the first one."""
        ...

    def history(self, symbol: str, timeframe: Timeframe, count: int) -> Sequence[Bar]:
        """Return the newest *count* closed bars, oldest first; fewer if there are."""
        ...

    def closed_bars(self, symbol: str, timeframe: Timeframe) -> Sequence[Bar]:
        """Return bars that closed since the last call (or since `history`), in order.

        Gaps are filled: after a pause all missed bars come, each exactly once.
        """
        ...


class Broker(Protocol):
    """The account and its orders.

    A failed reading raises :class:`UnavailableError`; it never looks like an empty
    account.
    """

    def connect(self, login: Login) -> Account:
        """Connect and verify the account; UnavailableError or ValueError otherwise."""
        ...

    def account(self) -> Account:
        """Read the account and check that it is still the one connected to."""
        ...

    def positions(self) -> Sequence[Position]:
        """Return every open position of the account."""
        ...

    def orders(self) -> Sequence[PendingOrder]:
        """Return every pending order of the account."""
        ...

    def deals(self, since: datetime) -> Sequence[Deal]:
        """Return the deals since *since* (UTC-aware), oldest first."""
        ...

    def send(self, request: OrderRequest) -> OrderResult:
        """Send one order; never raises for what the broker answers."""
        ...

    def find(self, request: OrderRequest) -> OrderResult | None:
        """Look up what became of *request* in positions, orders and history.

        Returns:
            Its result; None if it certainly left no trace.

        Raises:
            UnavailableError: If that cannot be told now.
        """
        ...

    def close(self) -> None:
        """Let go of the terminal; it goes on running."""
        ...


class Clock(Protocol):
    """Wall-clock time, monotonic time and waiting."""

    def now(self) -> datetime:
        """Return the present time, UTC-aware."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start; never goes back."""
        ...

    def wait(self, seconds: float) -> None:
        """Wait *seconds*."""
        ...


class StateError(Exception):
    """Durable state could not be read or written; the message says what to do."""


class StateStore(Protocol):
    """Durable values by namespace and key. A put is on disk when it returns.

    What cannot be read or written raises :class:`StateError`.
    """

    def get(self, namespace: str, key: str) -> Any | None:
        """Return the JSON value last put, or None."""
        ...

    def put(self, namespace: str, key: str, value: Any) -> None:
        """Store a JSON value durably."""
        ...

    def delete(self, namespace: str, key: str) -> None:
        """Forget a value; nothing happens if there is none."""
        ...

    def items(self, namespace: str) -> Mapping[str, Any]:
        """Return every value of *namespace* by key."""
        ...

    def close(self) -> None:
        """Flush and close."""
        ...


@attrs.frozen(kw_only=True)
class Exchange:
    """What one control cycle writes and asks for, in one round trip.

    Attributes:
        account: The account id that the keys carry.
        heartbeat: Hash fields to write with their TTL; None writes none.
        strategy_ids: Strategies whose versions are asked for.
        config_acks: Field to JSON text for the config acknowledgement hash.
        command_acks: Field to JSON text for the command acknowledgement hash.
        renew_lease: Whether to renew the account's lease.
    """

    account: str
    heartbeat: Mapping[str, str] | None = None
    strategy_ids: tuple[int, ...] = ()
    config_acks: Mapping[str, str] = EMPTY
    command_acks: Mapping[str, str] = EMPTY
    renew_lease: bool = False


@attrs.frozen(kw_only=True)
class ServerView:
    """What one control cycle saw. None is *no information*, never *gone*.

    Attributes:
        server_heartbeat: Hash fields of the server's heartbeat.
        trade_version: The announced trade config version.
        strategy_versions: Strategy id to its announced version.
        command: Hash fields of the account's command.
        fleet_command: Hash fields of the fleet's command.
        lease_held: Whether the lease is ours; None if it was not asked.
        heartbeat_written: Whether Redis took the heartbeat.
    """

    server_heartbeat: Mapping[str, str] | None = None
    trade_version: int | None = None
    strategy_versions: Mapping[int, int | None] = EMPTY
    command: Mapping[str, str] | None = None
    fleet_command: Mapping[str, str] | None = None
    lease_held: bool | None = None
    heartbeat_written: bool = False


@attrs.frozen(kw_only=True)
class LeaseHolder:
    """Who owns an account's lease: host name, process id and session.

    *host* and *pid* are empty and 0 where they are not known.
    """

    session: str
    host: str = ""
    pid: int = 0

    def __str__(self) -> str:
        """Return who it is, for a person."""
        if not self.host:
            return f"session {self.session}"
        return f"process {self.pid} on {self.host} (session {self.session})"


class ControlPlane(Protocol):
    """Redis: heartbeats up, versions and commands down. Usable from any thread."""

    def exchange(self, exchange: Exchange) -> ServerView:
        """Do one control cycle in one round trip; UnavailableError if it failed."""
        ...

    def acquire_lease(self, account: str) -> LeaseHolder | int | None:
        """Take the account's lease.

        Returns:
            The fencing number if it is ours now; who holds it, if another runner
            does; None if this Redis does not let us have leases at all.

        Raises:
            UnavailableError: If Redis cannot be asked.
        """
        ...

    def listen(
        self,
        account: str,
        on_wake_up: Callable[[WakeUp], None],
        stop: threading.Event,
    ) -> None:
        """Pass on wake-ups until *stop* is set; blocks, and outlives every outage.

        A plain *look* is passed on after each (re)subscription: whatever was said
        while nobody listened is lost.
        """
        ...

    def release_lease(self, account: str) -> None:
        """Release the lease if it is ours."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...


@attrs.frozen(kw_only=True)
class Fetched:
    """The config server's answer to one GET.

    Attributes:
        status: HTTP status; 0 when no answer came.
        body: Parsed JSON of a 200 that was whole and JSON, or of the one that a 304
            confirms; None otherwise.
        detail: What went wrong, for a person; empty for a good answer.
        retry_after: The server's wish in seconds; None if it had none.
    """

    status: int
    body: Any | None = None
    detail: str = ""
    retry_after: float | None = None


class ConfigServer(Protocol):
    """The REST side. Answers and failures are values; nothing is raised."""

    def trade_config(self, account: str) -> Fetched:
        """GET the account's trade config."""
        ...

    def strategy_config(self, account: str, strategy_id: int) -> Fetched:
        """GET one strategy's config."""
        ...

    def command(self, account: str) -> Fetched:
        """GET the account's command, for when Redis is away."""
        ...

    def key_changed(self) -> bool:
        """Say whether the API key is another than the last request carried."""
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class Feed(Protocol):
    """Recorded or made quotes that drive the simulated terminal."""

    @property
    def symbols(self) -> Iterable[str]:
        """The symbols that it quotes."""
        ...

    @property
    def timeframe(self) -> Timeframe:
        """The timeframe of its bars."""
        ...

    def bars(self) -> Iterable[Bar]:
        """Yield bars of all symbols in order of time; may never end."""
        ...


@runtime_checkable
class TickFeed(Protocol):
    """Recorded quotes, one by one, that drive the simulated terminal."""

    @property
    def symbols(self) -> Iterable[str]:
        """The symbols that it quotes."""
        ...

    def ticks(self) -> Iterable[Tick]:
        """Yield quotes of all symbols in order of time; may never end."""
        ...
