"""Runs one account in this process."""

from __future__ import annotations

import logging
import os
import random
import socket
import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path

from runner import __version__
from runner.adapters.config_http import ConfigHttp
from runner.adapters.lock_file import LockFile
from runner.adapters.process_memory import resident_bytes
from runner.adapters.redis_control import RedisControl
from runner.adapters.state_sqlite import SqliteState
from runner.adapters.system_clock import SystemClock
from runner.app.alive import SignOfLife
from runner.app.owning import NotReadyError, take_lease, take_state, wait
from runner.app.plugins import load_plugins, parameters_finder
from runner.app.recording import header, how_it_ended, open_recorder
from runner.app.setup import TerminalSetup
from runner.app.terminal import open_terminal
from runner.app.watching import take_over
from runner.core.account import Account
from runner.core.restart import RestartPolicy
from runner.exit_codes import ExitCode
from runner.host.records import PluginError
from runner.host.watch import Watch
from runner.link import Link
from runner.logs import set_up
from runner.loop.build import Surroundings, build_loop
from runner.loop.settings import LoopSettings
from runner.loop.stop import StopRequest
from runner.loop.summary import Summary
from runner.ports import (
    Clock,
    StateError,
    StateStore,
    UnavailableError,
)
from runner.recorder.observer import observe
from runner.recorder.ports import (
    NotedBreaks,
    learn_through,
    scripted,
    settings_through,
    through,
)
from runner.recorder.recorder import Recorder
from runner.settings import RunnerSettings, SettingsError
from runner.settings_sources import API_KEY, environment, secret
from runner.strategy import Parameters
from runner.supervisor import Seat, in_flight_file, sign_of_life_file

log = logging.getLogger("mt5runner.app")


_CONNECT_EVERY = 5.0  # seconds between tries to reach the terminal at the start


def run_account(
    settings: RunnerSettings,
    *,
    verbose: bool = False,
    stop: StopRequest,
    seat: Seat | None = None,
) -> int:
    """Run the one account of *settings* until it is told to stop.

    Args:
        settings: The runner's settings.
        verbose: Whether debug lines are logged too.
        stop: Through which it is told to stop.
        seat: Its place under a supervisor; None for none.

    Returns:
        The exit code.

    Raises:
        SettingsError: If a setting cannot be used.
    """
    account = settings.accounts[0]
    set_up(settings.log_format, account, verbose=verbose)
    clock = SystemClock()
    folder = Path(settings.state_dir)
    lock = LockFile(folder / f"{account}.lock")
    alive = SignOfLife(sign_of_life_file(folder, account), clock).show
    store: SqliteState | None = None
    watch = Watch(settings.strategy_time_limit)
    began = clock.monotonic()
    try:
        # The sign of life is the holder's until then, and would hide that it hangs;
        # only who has a supervisor of his own must show one.
        take_state(settings, lock, clock, stop, alive if seat else _show_nothing)
        store = _open_store(settings, account)
        watch.start()
        summary = _run(settings, account, clock, store, stop, seat, watch, alive)
    except NotReadyError as error:
        level = logging.INFO if error.code is ExitCode.DONE else logging.ERROR
        log.log(level, "%s", error)
        return error.code
    except PluginError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return ExitCode.PLUGIN
    except StateError as error:
        log.error("%s", error)  # noqa: TRY400 - the message says it all
        return ExitCode.USAGE
    finally:
        watch.stop()
        if store is not None:
            store.close()
        lock.release()
    _tell(summary, clock.monotonic() - began)
    if summary.error:
        log.error("%s", summary.error)
        return ExitCode.USAGE
    return ExitCode.RESTART if stop.is_restart else ExitCode.DONE


def _show_nothing() -> None:
    """Show no sign of life."""


def _open_store(settings: RunnerSettings, account: str) -> SqliteState:
    try:
        return SqliteState(
            Path(settings.state_dir) / f"{account}.db",
            survives_power_cut=settings.terminal != "paper",
        )
    except StateError as error:
        raise SettingsError(f"state_dir: {error}") from None


def _run(
    settings: RunnerSettings,
    account: str,
    clock: Clock,
    store: StateStore,
    stop: StopRequest,
    seat: Seat | None,
    watch: Watch,
    alive: Callable[[], None],
) -> Summary:
    recorder = open_recorder(settings, account, clock)
    ended = ""
    try:
        summary = _run_recorded(
            settings, account, clock, store, stop, seat, watch, alive, recorder
        )
        ended = summary.reason
    except BaseException as error:
        ended = how_it_ended(error)
        raise
    finally:
        if recorder is not None:
            recorder.close(ended)
    return summary


def _run_recorded(
    settings: RunnerSettings,
    account: str,
    clock: Clock,
    store: StateStore,
    stop: StopRequest,
    seat: Seat | None,
    watch: Watch,
    alive: Callable[[], None],
    recorder: Recorder | None,
) -> Summary:
    if recorder is None:
        kept = store
        discovery, host = load_plugins(settings, store, watch=watch)
    else:
        kept = through("store", recorder, store)
        learn = partial(learn_through, recorder)
        watch.breaks = NotedBreaks(recorder)
        discovery, host = load_plugins(settings, kept, watch=watch, learn=learn)
        observe(host, recorder, lambda: recorder.problem)
    among = 1 if seat is None else seat.among
    terminal = open_terminal(settings, account, clock, among=among)
    # Host and process id are in it so that others can say who holds the lease. By the
    # mark a worker knows the lease of its predecessor, which the supervisor saw end.
    mark = uuid.uuid4().hex[:12] if seat is None else seat.mark
    session = f"{socket.gethostname()}:{os.getpid()}:{mark}"
    link = _make_link(
        settings,
        account,
        clock,
        store,
        session,
        parameters_finder(discovery),
        hide=(lambda _: None) if recorder is None else recorder.hide,
    )
    epoch = take_lease(settings, link, clock, stop, alive)
    try:
        take_over(watch, in_flight_file(Path(settings.state_dir), account), store)
        _connect(terminal, clock, stop, alive)
        around = Surroundings(
            market=terminal.adapter,
            broker=terminal.adapter,
            link=link,
            store=kept,
            clock=clock,
            player=terminal.player,
            stop=stop,
            resident=resident_bytes,
        )
        loop_settings = LoopSettings(
            account=account,
            session=session,
            host=socket.gethostname(),
            pid=os.getpid(),
            version=__version__,
            timeframe=terminal.timeframe,
            max_config_age=timedelta(hours=settings.max_config_age_h),
            exit_when_feed_ends=settings.exit_when_feed_ends,
            epoch=epoch,
            server_peak=settings.terminal != "paper",
            account_lasts=settings.terminal != "paper",
            on_restart=RestartPolicy(settings.on_restart),
            memory_limit_mb=settings.memory_limit_mb,
        )
        if recorder is not None:
            recorder.begin(partial(header, settings, account, discovery, host, around))
            around = scripted(recorder, around)
            loop_settings = settings_through(recorder, loop_settings)
        loop = build_loop(
            around,
            host=host,
            find_strategy=discovery.find_strategy,
            settings=loop_settings,
            alive=alive,
        )
        return loop.run()
    except BaseException:
        link.stop(None)
        raise


def _make_link(
    settings: RunnerSettings,
    account: str,
    clock: Clock,
    store: StateStore,
    session: str,
    find_parameters: Callable[[str], type[Parameters] | None],
    hide: Callable[[str], None],
) -> Link:
    environ = environment()
    rng = random.SystemRandom().random

    def api_key() -> str | None:
        key = secret(API_KEY, environ, account)
        if key:
            hide(key)  # its file may have been replaced since the start
        return key

    server = ConfigHttp(
        settings.api_url,
        api_key=api_key,
        header=settings.api_key_header,
        prefix=settings.api_key_prefix,
    )
    control = None
    if settings.redis_url is None:
        log.warning("no Redis is named: configs are polled, no heartbeats are sent")
    else:
        try:
            control = RedisControl(settings.redis_url, session=session, random=rng)
        except ValueError as error:
            raise SettingsError(f"redis_url: {error}") from None
    return Link(
        account=account,
        control=control,
        server=server,
        clock=clock,
        store=store,
        find_parameters=find_parameters,
        poll_interval=settings.poll_interval,
        random=rng,
    )


def _connect(
    terminal: TerminalSetup, clock: Clock, stop: StopRequest, alive: Callable[[], None]
) -> Account:
    """Connect to the terminal, however long that takes."""
    told = ""
    while True:
        try:
            account = terminal.connect()
        except UnavailableError as error:
            if str(error) != told:
                told = str(error)
                log.error("waiting for the terminal: %s", error)  # noqa: TRY400 - no traceback wanted
            wait(clock, _CONNECT_EVERY, stop, alive)
            continue
        except ValueError as error:
            raise NotReadyError(ExitCode.UNREACHABLE, str(error)) from None
        kind = "demo" if account.is_demo else "REAL MONEY"
        log.info(
            "connected: account %d on %s (%s), %.2f %s",
            account.login,
            account.server,
            kind,
            account.balance,
            account.currency,
        )
        return account


def _tell(summary: Summary, seconds: float) -> None:
    closed = {
        symbol: f"{count} ({summary.profit[symbol]:+.2f})"
        for symbol, count in summary.closed.items()
    }
    log.info(
        "%d bars in %.1f s (%s); closed: %s; still open: %s; balance %s",
        sum(summary.bars.values()),
        seconds,
        _listed(summary.bars),
        _listed(closed),
        _listed(summary.still_open),
        "unknown" if summary.balance is None else f"{summary.balance:.2f}",
    )


def _listed(figures: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {figures[name]}" for name in sorted(figures)) or "none"
