"""Flags that several commands share, and how they become settings."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from runner.settings import RunnerSettings


def setting(name: str) -> Callable[[str], Any]:
    """Return an argparse type that reads the setting *name* from text."""

    def parse(text: str) -> Any:
        from runner.settings import SettingsError
        from runner.settings_sources import parse_text

        try:
            return parse_text(name, text)
        except SettingsError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parse


def port(text: str) -> int:
    """Read a TCP port of this machine; 0 for any free one."""
    number = int(text)
    if not 0 <= number <= 65535:  # noqa: PLR2004 - the range of TCP ports
        raise ValueError(text)
    return number


def add_account_flag(
    parser: argparse.ArgumentParser,
    text: str = "account id that the server knows (repeatable)",
) -> None:
    """Add the flag that names an account, described by *text*."""
    parser.add_argument(
        "--account", action="append", dest="accounts", metavar="ID", help=text
    )


def add_server_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say where the server is."""
    parser.add_argument("--api-url", metavar="URL", help="address of the REST API")
    add_redis_flag(parser)


def add_redis_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag that says where Redis is."""
    parser.add_argument("--redis-url", metavar="URL", help="Redis (default: REDIS_URL)")


def add_terminal_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags that say which terminal a runner trades on."""
    parser.add_argument("--terminal", choices=["paper", "mt5"], help="default: paper")
    add_market_flags(parser, "paper only: ")
    parser.add_argument(
        "--paper-terminal",
        type=setting("paper_terminal"),
        metavar="PORT",
        help="paper only: use the terminal that `runner terminal` runs there",
    )


def add_market_flags(parser: argparse.ArgumentParser, when: str = "") -> None:
    """Add the flags of a paper market; *when* goes before what is said of each."""
    parser.add_argument(
        "--feed",
        metavar="SPEC",
        help=f"{when}synthetic[:seed=N] or csv:SYMBOL=FILE[,SYMBOL=FILE]",
    )
    parser.add_argument(
        "--speed",
        type=setting("speed"),
        metavar="N|max",
        help=f"{when}market seconds per second (default: 1)",
    )
    parser.add_argument(
        "--symbols", metavar="FILE", help=f"{when}JSON with symbol rules"
    )
    parser.add_argument(
        "--server-timezone", metavar="ZONE", help="IANA zone of the broker's clock"
    )


def add_plugin_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag that names folders of the user's."""
    parser.add_argument(
        "--plugin-dir",
        action="append",
        dest="plugin_dirs",
        metavar="DIR",
        help="folder with your strategies and plugins (repeatable)",
    )


def add_state_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag that says where state is kept."""
    parser.add_argument(
        "--state-dir",
        metavar="DIR",
        help="where state is kept (default: .mt5runner; dev: a temporary one)",
    )


def add_config_flag(parser: argparse.ArgumentParser) -> None:
    """Add the flag that names the settings file."""
    parser.add_argument("--config", metavar="FILE", help="TOML file with settings")


def add_log_flags(parser: argparse.ArgumentParser) -> None:
    """Add the flags of every command that goes on until it is stopped."""
    parser.add_argument("--log-format", choices=["text", "json"], help="default: text")
    parser.add_argument("-v", "--verbose", action="store_true", help="debug lines too")


def load_settings(arguments: argparse.Namespace, **more: Any) -> RunnerSettings:
    """Put flags, environment and file together.

    Args:
        arguments: The parsed flags; those named like a setting are taken.
        more: Settings that the command itself decides.

    Returns:
        The settings.
    """
    from runner.settings_sources import environment, load

    flags = _flags(arguments) | more
    return load(flags, environment(), getattr(arguments, "config", None))


def load_account_settings(
    arguments: argparse.Namespace, **more: Any
) -> Sequence[RunnerSettings]:
    """Put flags, environment and file together for each account that runs.

    Args:
        arguments: The parsed flags; those named like a setting are taken.
        more: Settings that the command itself decides.

    Returns:
        The settings of each account; none where no account is named.
    """
    from runner.account_settings import load_each
    from runner.settings_sources import environment

    flags = _flags(arguments) | more
    return load_each(flags, environment(), getattr(arguments, "config", None))


def _flags(arguments: argparse.Namespace) -> dict[str, Any]:
    import attrs

    from runner.settings import RunnerSettings

    names = {field.name for field in attrs.fields(RunnerSettings)}
    return {
        name: tuple(cast("list[str]", value)) if isinstance(value, list) else value
        for name, value in vars(arguments).items()
        if name in names and value is not None and value is not False
    }
