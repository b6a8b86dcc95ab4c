"""Settings of several accounts out of one file: a section for each that differs.

``[account.123456]`` goes before what the file says for all accounts; environment and
flags go before both.
"""

from __future__ import annotations

import ntpath
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

from runner.serde import ConfigErrors, structure_settings
from runner.settings import RunnerSettings, SettingsError, structured
from runner.settings_sources import Sources, accounts_of, read_sources

_FOR_ALL = ("accounts", "state_dir", "log_format", "frozen_after")
"""Settings of the supervisor and of what its workers share."""


def load_each(
    flags: Mapping[str, Any],
    environ: Mapping[str, str],
    config_file: str | None = None,
) -> Sequence[RunnerSettings]:
    """Put the settings of every account that runs together.

    Args:
        flags: Settings given on the command line, already of their kind.
        environ: The environment, `.env` included.
        config_file: A TOML file; None for none.

    Returns:
        The settings of each account, in the order in which they are named.

    Raises:
        SettingsError: If anything cannot be used, or two accounts would share a
            terminal.
    """
    sources = read_sources(flags, environ, config_file)
    accounts = structured({"accounts": accounts_of(sources)}).accounts
    if not accounts:
        # Perhaps for a misspelt "accounts": that is what has to be said then.
        structured(dict(sources.file) | dict(sources.above))
    errors = [error for one in accounts for error in _section_errors(sources, one)]
    if errors:
        raise SettingsError("\n".join(errors))
    each = tuple(
        structured(
            _merged(sources.file, sources.sections.get(account, {}))
            | dict(sources.above)
            | {"accounts": (account,)}
        )
        for account in accounts
    )
    if errors := list(_shared_terminals(each)):
        raise SettingsError("\n".join(errors))
    return each


def _section_errors(sources: Sources, account: str) -> Iterable[str]:
    section = sources.sections.get(account, {})
    path = f"settings.account.{account}"
    for name in _FOR_ALL:
        if name in section:
            yield f"{path}.{name}: holds for all accounts; put it above the sections"
    try:
        # By itself, so that an error has its place in the file.
        structure_settings(section, RunnerSettings, path)
    except ConfigErrors as error:
        yield from error.errors


def _merged(common: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """Return *common* with *own* before it; tables are merged name by name."""
    merged = dict(common)
    for name, value in own.items():
        before = merged.get(name)
        if isinstance(before, Mapping) and isinstance(value, Mapping):
            table = cast("Mapping[str, Any]", before)
            merged[name] = _merged(table, cast("Mapping[str, Any]", value))
        else:
            merged[name] = value
    return merged


def _shared_terminals(each: Sequence[RunnerSettings]) -> Iterable[str]:
    """Find accounts of which one would be read or traded through another's terminal."""
    live = [one for one in each if one.terminal == "mt5"]
    if len(live) < 2:  # noqa: PLR2004 - one shares with nobody
        return
    paths: dict[str, str] = {}
    logins: dict[tuple[str, str | None], str] = {}
    for one in live:
        (account,) = one.accounts
        place = f"settings.account.{account}"
        login = str(one.mt5_login or account)
        holder = logins.setdefault((login, one.mt5_server), account)
        if holder != account:
            yield (
                f"{place}.mt5_login: {login} is account {holder}'s too; two workers "
                "would trade one account: correct it, or remove one of the two"
            )
        if not one.mt5_path:
            yield (
                f"{place}.mt5_path: missing; with several accounts each needs the path "
                "of its own terminal64.exe, or any terminal of the machine may be taken"
            )
            continue
        # As Windows compares, wherever this runs: case and slashes make no difference.
        same = ntpath.normcase(ntpath.normpath(one.mt5_path))
        holder = paths.setdefault(same, account)
        if holder != account:
            yield (
                f"{place}.mt5_path: {one.mt5_path} is account {holder}'s terminal too; "
                "a terminal serves one account: install another in a folder of its own"
            )
