"""Everything on one machine: embedded Redis, stub server, paper account, runner."""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import attrs

from runner.adapters.embedded_redis import EmbeddedRedis
from runner.app.account import run_account
from runner.loop.stop import StopRequest
from runner.settings import RunnerSettings, SettingsError
from runner.settings_sources import API_KEY
from server_stub.redis_link import connect
from server_stub.seed import DEMO, DEMO_ACCOUNT, DEMO_ADMIN_KEY, DEMO_KEY, plant
from server_stub.server import StubServer
from server_stub.store import Store

_SERVER_BEAT = 5.0  # seconds; a short one shows a pause soon even without a push

Tell = Callable[[str], None]


@attrs.frozen(kw_only=True)
class DevelopmentSettings:
    """How `runner dev` differs from `runner start`.

    Attributes:
        runner: The runner's own settings; addresses and account are filled in.
        port: Port of the stub server; 0 for any free one.
        exit_after: Seconds after which everything stops; None for never.
        verbose: Whether debug lines are logged too.
    """

    runner: RunnerSettings
    port: int = 8000
    exit_after: float | None = None
    verbose: bool = False


def run_development(
    settings: DevelopmentSettings, stop: StopRequest, tell: Tell
) -> int:
    """Start everything, run the demo account until told to stop, stop everything.

    Args:
        settings: How to run.
        stop: Through which it is told to stop.
        tell: Takes the lines that say where everything is.

    Returns:
        The exit code.

    Raises:
        SettingsError: If something cannot be started.
    """
    with contextlib.ExitStack() as stack:
        folder = settings.runner.state_dir
        if not folder:
            # Ignoring errors: on Windows a file may still be held for a moment.
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(
                    prefix="mt5runner-dev-", ignore_cleanup_errors=True
                )
            )
        redis_url = stack.enter_context(_redis(settings.runner.redis_url))
        address = stack.enter_context(_server(settings.port, folder, redis_url))
        _introduce(tell, address, redis_url)
        # The demo account's own key goes before any key of a real server's.
        os.environ[f"{API_KEY}_{DEMO_ACCOUNT}"] = DEMO_KEY
        runner = attrs.evolve(
            settings.runner,
            accounts=(DEMO_ACCOUNT,),
            api_url=address,
            redis_url=redis_url,
            state_dir=folder,
        )
        if settings.exit_after is not None:
            stack.enter_context(_timer(settings.exit_after, stop))
        return run_account(runner, verbose=settings.verbose, stop=stop)


@contextlib.contextmanager
def _redis(url: str | None) -> Generator[str]:
    if url is not None:
        yield url
        return
    server = EmbeddedRedis()
    server.start()
    try:
        yield server.url
    finally:
        server.stop()


@contextlib.contextmanager
def _server(port: int, folder: str, redis_url: str) -> Generator[str]:
    Path(folder).mkdir(parents=True, exist_ok=True)
    store = Store(Path(folder) / "config-server.db")
    client = connect(redis_url)
    server = StubServer(
        store=store,
        port=port,
        redis_client=client,
        heartbeat_interval=_SERVER_BEAT,
        admin_key=DEMO_ADMIN_KEY,
    )
    try:
        plant(store, DEMO)
        try:
            server.start()
        except OSError as error:
            raise SettingsError(
                f"--port {port}: {error.strerror}; name another one, or 0 for any"
            ) from None
        yield server.address
    finally:
        server.stop()
        client.close()
        store.close()


@contextlib.contextmanager
def _timer(seconds: float, stop: StopRequest) -> Generator[None]:
    timer = threading.Timer(seconds, stop.ask, [f"{seconds:g} s are over"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _introduce(tell: Tell, address: str, redis_url: str) -> None:
    tell(f"dashboard   {address}/   (admin key: {DEMO_ADMIN_KEY})")
    tell(f"redis       {redis_url}")
    tell(f"account     {DEMO_ACCOUNT}, TrendFollowingBot on a synthetic market")
    tell("change a parameter while it trades:")
    tell(
        f"  curl -X PATCH {address}/api/admin/strategies/1/ "
        f"-H 'Authorization: Api-Key {DEMO_ADMIN_KEY}' "
        "-d '{\"parameters_by_symbol.XAUUSD.stop_loss\": 120}'"
    )
    tell("Ctrl-C stops everything.")
