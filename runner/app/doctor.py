"""Checks everything that a run needs, and names the remedy beside each failure."""

from __future__ import annotations

import functools
import importlib.metadata
import importlib.util
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from runner.adapters.config_http import ConfigHttp
from runner.adapters.redis_fleet import read_time
from runner.adapters.state_sqlite import SqliteState
from runner.adapters.system_clock import SystemClock
from runner.app.plugins import select_plugins, settings_maker
from runner.app.terminal import open_terminal
from runner.exit_codes import ExitCode
from runner.host.discovery import Discovery, discover
from runner.host.records import PluginError
from runner.plugin import Plugin
from runner.ports import StateError, UnavailableError
from runner.settings import RunnerSettings, SettingsError
from runner.settings_sources import API_KEY, environment, secret

PACKAGES = ("runner", "plugins", "strategies", "server_stub")
DISTRIBUTION = "mt5-strategy-runner"


@attrs.frozen(kw_only=True)
class Finding:
    """The outcome of one check.

    Attributes:
        name: What was checked.
        detail: What was found.
        remedy: What to do about it; empty when all is well.
        code: Exit code that the failure stands for; DONE when all is well.
        is_note: Whether it is worth knowing but stops nothing.
    """

    name: str
    detail: str
    remedy: str = ""
    code: ExitCode = ExitCode.DONE
    is_note: bool = False

    @property
    def is_good(self) -> bool:
        """Whether nothing has to be done."""
        return self.code is ExitCode.DONE

    def as_json(self) -> dict[str, Any]:
        """Return the finding as a JSON object."""
        return {
            "check": self.name,
            "ok": self.is_good,
            "detail": self.detail,
            "remedy": self.remedy,
        }

    def __str__(self) -> str:
        """Return the finding on one line."""
        mark = "note" if self.is_note else "ok" if self.is_good else "FAIL"
        line = f"{mark:<5} {self.name:<10} {self.detail}"
        return f"{line} -> {self.remedy}" if self.remedy else line


Check = Callable[[RunnerSettings], Iterator[Finding]]


def examine(each: Sequence[RunnerSettings]) -> list[Finding]:
    """Run every check for every account, but none twice for the same thing.

    Args:
        each: What a run would use for each account.

    Returns:
        The findings, in order of the checks.
    """
    return [
        finding
        for check in CHECKS
        for settings in _that_differ(each, _LOOKS_AT.get(check, ("accounts",)))
        for finding in check(settings)
    ]


def _that_differ(
    each: Sequence[RunnerSettings], names: Sequence[str]
) -> Iterable[RunnerSettings]:
    """Return the first of all those that have the same under *names*."""
    seen: list[list[Any]] = []
    for settings in each:
        values = [getattr(settings, name) for name in names]
        if values not in seen:
            seen.append(values)
            yield settings


def check_packages(_settings: RunnerSettings) -> Iterator[Finding]:
    """Find another distribution's or folder's packages in place of ours."""
    home = Path(__file__).resolve().parent.parent.parent
    owners = importlib.metadata.packages_distributions()
    bad = False
    for name in PACKAGES:
        spec = importlib.util.find_spec(name)
        origin = None if spec is None else spec.origin
        if origin is None or Path(origin).resolve().parent.parent != home:
            bad = True
            yield Finding(
                name="packages",
                detail=f"{name} is taken from {origin or 'nowhere'}, not from {home}",
                remedy="run from another folder, or reinstall in an environment of "
                "its own",
                code=ExitCode.USAGE,
            )
        others = set(owners.get(name, [])) - {DISTRIBUTION}
        if others:
            bad = True
            yield Finding(
                name="packages",
                detail=f"{', '.join(sorted(others))} also installs {name}/",
                remedy="install the runner in an environment of its own",
                code=ExitCode.USAGE,
            )
    if not bad:
        yield Finding(name="packages", detail=f"all four in {home}")
    for name in ("strategies", "plugins"):
        folder = Path.cwd() / name
        is_ours = (Path.cwd() / "runner" / "__init__.py").is_file()
        if folder.is_dir() and folder.resolve().parent != home and not is_ours:
            yield Finding(
                name="packages",
                detail=f"{folder} bears the name of a package of the runner's",
                remedy="rename it (bots/, say) and pass it as --plugin-dir",
                is_note=True,
            )


def check_state_dir(settings: RunnerSettings) -> Iterator[Finding]:
    """Write to the state directory."""
    folder = Path(settings.state_dir)
    probe = folder / f".doctor-{os.getpid()}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        yield Finding(
            name="state",
            detail=f"{folder}: {error.strerror}",
            remedy="name a folder that can be written to: --state-dir DIR",
            code=ExitCode.USAGE,
        )
        return
    yield Finding(name="state", detail=f"{folder.resolve()} can be written to")


def check_state(settings: RunnerSettings) -> Iterator[Finding]:
    """Open what earlier starts left of each account."""
    for account in settings.accounts:
        file = Path(settings.state_dir) / f"{account}.db"
        if not file.exists():
            continue
        try:
            SqliteState(file).close()
        except StateError as error:
            yield Finding(
                name="state",
                detail=f"account {account}: {error}",  # and what to do
                code=ExitCode.USAGE,
            )


def check_plugins(settings: RunnerSettings) -> Iterator[Finding]:
    """Load every plugin and strategy, and read the settings of those that run."""
    found = discover([Path(folder) for folder in settings.plugin_dirs])
    if not any(failure.fatal for failure in found.failures):
        yield from _check_chosen(settings, found)
    for failure in found.failures:
        yield Finding(
            name="plugins",
            detail=f"{failure.source}: {failure.message}",
            remedy=failure.remedy,
            code=ExitCode.PLUGIN,
        )
    names = ", ".join(sorted(found.strategies))
    yield Finding(
        name="plugins",
        detail=f"{len(found.plugins)} plugins; strategies: {names}",
    )


def _check_chosen(settings: RunnerSettings, found: Discovery) -> Iterator[Finding]:
    make = settings_maker(settings)
    try:
        chosen = select_plugins(settings, found)
    except PluginError as error:
        yield Finding(
            name="plugins",
            detail=f"{error.plugin}: {error.message}",
            remedy=error.remedy,
            code=ExitCode.PLUGIN,
        )
        return
    except SettingsError as error:
        yield from _settings_findings("plugins", error)
        return
    for record in chosen:
        if isinstance(record.obj, type) and issubclass(record.obj, Plugin):
            try:
                make(record.name, record.obj.Settings)
            except SettingsError as error:
                yield from _settings_findings("plugins", error)


def _settings_findings(name: str, error: SettingsError) -> Iterator[Finding]:
    for line in str(error).splitlines():
        yield Finding(
            name=name,
            detail=line,
            remedy="correct it where it is set: see --config",
            code=ExitCode.USAGE,
        )


def check_redis(settings: RunnerSettings) -> Iterator[Finding]:
    """Reach Redis and compare the clocks."""
    if settings.redis_url is None:
        yield Finding(
            name="redis",
            detail="none named: configs are polled from the API, no heartbeats",
            remedy="name it: --redis-url or REDIS_URL",
            is_note=True,
        )
        return
    try:
        there = read_time(settings.redis_url)
    except UnavailableError as error:
        yield Finding(
            name="redis",
            detail=str(error),
            remedy=_redis_remedy(str(error)),
            code=ExitCode.UNREACHABLE,
        )
        return
    yield Finding(name="redis", detail="answers")
    skew = (SystemClock().now() - there).total_seconds()
    if abs(skew) > 2:  # noqa: PLR2004 - seconds
        yield Finding(
            name="clock",
            detail=f"this machine's clock is {skew:+.1f} s off Redis' clock",
            remedy="synchronise the clock (NTP)",
            code=ExitCode.USAGE,
        )
    else:
        yield Finding(name="clock", detail=f"{skew:+.1f} s off Redis' clock")


def _redis_remedy(problem: str) -> str:
    if any(word in problem.lower() for word in ("auth", "password", "username")):
        return (
            "put user and password into --redis-url: redis://USER:PASSWORD@HOST:PORT/0"
        )
    return "start Redis, or correct --redis-url"


def check_api(settings: RunnerSettings) -> Iterator[Finding]:
    """Fetch each account's trade config with its key."""
    if not settings.accounts:
        yield Finding(
            name="api",
            detail="no account named",
            remedy="name one to check its key: --account ID",
            is_note=True,
        )
    for account in settings.accounts:
        try:
            key = secret(API_KEY, environment(), account)
        except SettingsError as error:
            yield Finding(
                name="api",
                detail=str(error),
                remedy="correct the file's path",
                code=ExitCode.USAGE,
            )
            continue
        server = ConfigHttp(
            settings.api_url,
            api_key=functools.partial(_given, key),
            header=settings.api_key_header,
            prefix=settings.api_key_prefix,
        )
        answer = server.trade_config(account)
        server.close()
        yield _judge_answer(settings.api_url, account, answer.status, answer.detail)


def _given(key: str | None) -> str | None:
    return key


_REMEDIES = {
    0: "start the server, or correct --api-url",
    401: f"set {API_KEY} (or {API_KEY}_FILE)",
    403: f"set {API_KEY} to this account's own key",
    404: "create the account on the server, or correct --account",
}


def _judge_answer(url: str, account: str, status: int, detail: str) -> Finding:
    if status == 200:  # noqa: PLR2004 - HTTP OK
        return Finding(name="api", detail=f"{url} knows account {account}")
    reachable = status != 0
    return Finding(
        name="api",
        detail=f"{url}, account {account}: {status or 'no answer:'} {detail}".rstrip(),
        remedy=_REMEDIES.get(status, "look into the server's log"),
        code=ExitCode.USAGE if reachable else ExitCode.UNREACHABLE,
    )


def check_terminal(settings: RunnerSettings) -> Iterator[Finding]:
    """Connect to the terminal and verify the account."""
    account = settings.accounts[0] if settings.accounts else "1"
    name = f"account {account}, {settings.terminal}"
    try:
        terminal = open_terminal(settings, account, SystemClock())
        reading = terminal.connect()
    except (SettingsError, UnavailableError, ValueError) as error:
        is_setting = isinstance(error, SettingsError)
        yield Finding(
            name="terminal",
            detail=f"{name}: {error}",
            remedy=_terminal_remedy(settings),
            code=ExitCode.USAGE if is_setting else ExitCode.UNREACHABLE,
        )
        return
    terminal.adapter.close()
    kind = "demo" if reading.is_demo else "REAL MONEY"
    yield Finding(
        name="terminal",
        detail=f"{name}: {reading.login} on {reading.server} ({kind}), "
        f"{reading.equity:.2f} {reading.currency}",
    )
    for obstacle in terminal.adapter.obstacles:
        yield Finding(
            name="terminal",
            detail=f"{name}: orders from here are not allowed",
            remedy=obstacle,
            code=ExitCode.USAGE,
        )


def _terminal_remedy(settings: RunnerSettings) -> str:
    if settings.terminal == "mt5":
        return "see docs/mt5.md, or run on paper: --terminal paper"
    if settings.paper_terminal is not None:
        port = settings.paper_terminal
        return f"start it: runner terminal --port {port}; or correct --paper-terminal"
    return "correct --feed, or the file of --symbols"


CHECKS: tuple[Check, ...] = (
    check_packages,
    check_state_dir,
    check_state,
    check_plugins,
    check_redis,
    check_api,
    check_terminal,
)

_LOOKS_AT: Mapping[Check, Sequence[str]] = {
    check_packages: (),
    check_state_dir: ("state_dir",),
    check_plugins: ("plugin_dirs", "enabled_plugins", "disabled_plugins", "plugins"),
    check_redis: ("redis_url",),
}
"""Settings that a check reads; each of the others reads an account's own."""
