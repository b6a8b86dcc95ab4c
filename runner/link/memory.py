"""What the link remembers over a restart."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any, cast

import attrs

from runner.core.command_flow import CommandFlow
from runner.ports import StateError, StateStore
from runner.wire.commands import Command
from runner.wire.encoding import WireError
from runner.wire.heartbeat import ServerHeartbeat
from runner.wire.times import read_time, write_time

log = logging.getLogger("mt5runner.link")

_NAMESPACE = "link"
_SERVER = "server_heartbeat"
_COMMANDS = "commands"
_CONFIRMED_EVERY = 300.0  # seconds between two writes of the same confirmation


@attrs.frozen
class Kept:
    """A config that was applied once.

    Attributes:
        body: The parsed JSON as it came.
        vouched_at: When the server last said that it stands, UTC-aware.
    """

    body: Any
    vouched_at: datetime


class Memory:
    """Server heartbeat, commands and last known good configs of one account.

    A write that fails is reported and does not stop what it was about: a stop that
    cannot be written down is obeyed all the same.
    """

    def __init__(self, store: StateStore) -> None:
        self._store = store
        self._confirmed: dict[str, datetime] = {}

    # -- the server's heartbeat --------------------------------------------------------
    def server(self) -> tuple[ServerHeartbeat, datetime] | None:
        """Return the heartbeat last stored and when it was seen."""
        record = self._get(_SERVER)
        if record is None:
            return None
        try:
            heartbeat = ServerHeartbeat.from_hash(record["heartbeat"])
            return heartbeat, read_time("at", record["at"])
        except (WireError, KeyError, TypeError, AttributeError) as error:
            log.error(  # noqa: TRY400 - the traceback says nothing more
                "the server heartbeat on disk is damaged and not used: %s", error
            )
            return None

    def keep_server(self, heartbeat: ServerHeartbeat, at: datetime) -> None:
        """Store the heartbeat."""
        record = {"heartbeat": heartbeat.to_hash(), "at": write_time(at)}
        self._put(_SERVER, record)

    # -- commands ----------------------------------------------------------------------
    def commands(self) -> CommandFlow:
        """Return the commands last stored.

        Raises:
            StateError: If they cannot be read: whether a stop is latched is not known,
                so nothing may start.
        """
        record = self._store.get(_NAMESPACE, _COMMANDS)
        if record is None:
            return CommandFlow()
        try:
            return CommandFlow(
                account=_command(record["account"]), fleet=_command(record["fleet"])
            )
        except (WireError, KeyError, TypeError) as error:
            raise StateError(
                f"the commands on disk are damaged ({error}); whether a stop is "
                "latched is not known, so nothing is traded. Delete the state file "
                "only when no stop is meant to hold"
            ) from error

    def keep_commands(self, flow: CommandFlow) -> None:
        """Store the commands."""
        record = {
            "account": flow.account and flow.account.to_document(),
            "fleet": flow.fleet and flow.fleet.to_document(),
        }
        self._put(_COMMANDS, record)

    # -- last known good configs -------------------------------------------------------
    def kept(self, scope: str) -> Iterator[Kept]:
        """Yield the last known good configs, newest first; damaged ones are skipped."""
        for key in (_last_good(scope), _previous(scope)):
            record = self._get(key)
            if record is None:
                continue
            try:
                body = record["body"]
                if record["sha256"] != _checksum(body):
                    raise ValueError("wrong checksum")  # noqa: TRY301 - one handler
                times = [record["saved_at"], self._get(_confirmed(scope))]
                vouched_at = max(read_time("at", text) for text in times if text)
            except (ValueError, KeyError, TypeError) as error:
                log.error(  # noqa: TRY400 - the traceback says nothing more
                    "%s: a last known good config is damaged and not used: %s",
                    scope,
                    error,
                )
                continue
            yield Kept(body, vouched_at)

    def keep(self, scope: str, body: Any, at: datetime) -> None:
        """Store an applied config; the one before becomes the second generation."""
        record = {
            "body": body,
            "sha256": _checksum(body),
            "saved_at": write_time(at),
        }
        before = self._get(_last_good(scope))
        if isinstance(before, dict):
            known = cast("dict[str, Any]", before)
            if known.get("sha256") != record["sha256"]:
                self._put(_previous(scope), known)
        self._put(_last_good(scope), record)

    def confirm(self, scope: str, at: datetime) -> None:
        """Note that the server vouched for what is applied."""
        last = self._confirmed.get(scope)
        if last is None or (at - last).total_seconds() >= _CONFIRMED_EVERY:
            self._confirmed[scope] = at
            self._put(_confirmed(scope), write_time(at))

    # -- the store ---------------------------------------------------------------------
    def _get(self, key: str) -> Any | None:
        try:
            return self._store.get(_NAMESPACE, key)
        except StateError as error:
            log.error("%s could not be read: %s", key, error)  # noqa: TRY400 - the message says it all
            return None

    def _put(self, key: str, value: Any) -> None:
        try:
            self._store.put(_NAMESPACE, key, value)
        except StateError as error:
            log.error("%s is lost at a restart: %s", key, error)  # noqa: TRY400 - the message says it all


def _last_good(scope: str) -> str:
    return f"last_good:{scope}"


def _previous(scope: str) -> str:
    return f"last_good:{scope}:previous"


def _confirmed(scope: str) -> str:
    return f"confirmed:{scope}"


def _checksum(body: Any) -> str:
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _command(document: Any) -> Command | None:
    if document is None:
        return None
    return Command.from_document(cast("dict[str, Any]", document))
