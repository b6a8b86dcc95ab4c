"""What an administrator may ask: accounts, strategies, commands, the fleet."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import attrs

from runner.wire.commands import Command, CommandAction
from runner.wire.documents import SUCCESS
from runner.wire.events import WakeUp, WakeUpType
from server_stub.calendar import read_events
from server_stub.changes import (
    AccountChange,
    RefusedError,
    edited_account,
    edited_strategy,
    new_account,
    new_strategy,
)
from server_stub.checks import fields, one_of, text
from server_stub.fleet import fleet_document
from server_stub.messages import Answer, ApiError, Request, json_response
from server_stub.observation import Snapshot
from server_stub.records import AccountRecord, StrategyRecord
from server_stub.store import Edit, ExistsError, Store

_COMMAND = fields(
    {
        "action": one_of(*CommandAction),
        "reason": text(length=500),
        "issued_by": text(),
    }
)


@attrs.frozen(slots=True, kw_only=True)
class AdminApi:
    """The administrator's endpoints, after the key was checked.

    Attributes:
        store: Where everything is.
        now: The server's clock.
        look: Reads what the bots report.
    """

    store: Store
    now: Callable[[], datetime]
    look: Callable[[], Snapshot]

    def accounts(self, request: Request) -> Answer:
        """List the accounts."""
        shown = [_account(record) for record in self.store.accounts()]
        return _answer({"status": SUCCESS, "accounts": shown})

    def create_account(self, request: Request) -> Answer:
        """Create an account; a key that was made up is shown here and never again."""
        sent = request.document()
        with self.store.transaction():
            change = new_account(sent, self._strategy_name)
            if change.api_key is None:
                raise AssertionError("a new account always has a key")
            try:
                self.store.add_account(change.record, change.api_key)
            except ExistsError as error:
                raise ApiError(409, str(error)) from None
        document = _account(change.record)
        if change.key_was_made:
            document["api_key"] = change.api_key
        return _answer(document, status=201, wake_ups=_account_wake_ups(change.record))

    def account(self, request: Request, account: str) -> Answer:
        """Show an account."""
        return _answer(_account(self._account(account)))

    def edit_account(self, request: Request, account: str) -> Answer:
        """Change an account by a PATCH."""
        sent = request.document()
        changes: list[AccountChange] = []

        def edit(record: AccountRecord) -> AccountRecord:
            changes.append(edited_account(record, sent, self._strategy_name))
            return changes[0].record

        with self.store.transaction():
            self._account(account)
            done = self.store.edit_account(account, edit)
            if changes[0].api_key is not None:
                self.store.set_key(account, changes[0].api_key)
        return _answer(_account(done.after), wake_ups=_edited_account(done, self.now()))

    def strategies(self, request: Request) -> Answer:
        """List the strategies."""
        shown = [_strategy(record) for record in self.store.strategies()]
        return _answer({"status": SUCCESS, "strategies": shown})

    def create_strategy(self, request: Request) -> Answer:
        """Create a strategy; its id is the next free one unless it is sent."""
        sent = request.document()
        with self.store.transaction():
            taken = [record.strategy_id for record in self.store.strategies()]
            record = new_strategy(sent, max(taken, default=0) + 1)
            try:
                self.store.add_strategy(record)
            except ExistsError as error:
                raise ApiError(409, str(error)) from None
        return _answer(
            _strategy(record), status=201, wake_ups=_strategy_wake_ups(record)
        )

    def strategy(self, request: Request, strategy: str) -> Answer:
        """Show a strategy."""
        return _answer(_strategy(self._strategy(int(strategy))))

    def edit_strategy(self, request: Request, strategy: str) -> Answer:
        """Change a strategy by a PATCH."""
        sent = request.document()
        with self.store.transaction():
            self._strategy(int(strategy))
            done = self.store.edit_strategy(
                int(strategy), lambda record: edited_strategy(record, sent)
            )
        bumped = done.before.version != done.after.version
        wake_ups = _strategy_wake_ups(done.after) if bumped else ()
        return _answer(_strategy(done.after), wake_ups=wake_ups)

    def command(self, request: Request, account: str | None = None) -> Answer:
        """Store a command for an account, or for the fleet, under the next seq."""
        sent = {"reason": "", "issued_by": "admin", **request.document()}
        errors = list(_COMMAND("$", sent))
        if errors:
            raise RefusedError(errors)
        with self.store.transaction():
            if account is not None:
                self._account(account)
            command = self.store.add_command(
                account,
                Command(
                    action=CommandAction(sent["action"]),
                    seq=0,
                    issued_at=self.now(),
                    issued_by=sent["issued_by"],
                    reason=sent["reason"],
                ),
            )
        return _answer(
            {"status": SUCCESS, "command": command.to_document()},
            status=201,
            wake_ups=(WakeUp(type=WakeUpType.COMMAND, account=account),),
        )

    def calendar(self, request: Request) -> Answer:
        """Show the calendar of scheduled news."""
        return _answer({"status": SUCCESS, "events": self.store.calendar()})

    def replace_calendar(self, request: Request) -> Answer:
        """Replace the calendar whole; no events take it away."""
        sent = request.document()
        errors = [
            f"$.{name}: unknown field; a calendar has events"
            for name in sent.keys() - {"events"}
        ]
        if errors:
            raise RefusedError(errors)
        events = read_events(sent.get("events"), "$.events")
        self.store.set_calendar(events)
        return _answer({"status": SUCCESS, "events": events})

    def fleet(self, request: Request) -> Answer:
        """Show what every account was asked, and what its bot reports."""
        snapshot = self.look()
        with self.store.transaction():
            document = fleet_document(
                self.store.accounts(),
                self.store.strategies(),
                self.store.commands(),
                snapshot,
            )
        return _answer(document)

    def _account(self, account: str) -> AccountRecord:
        record = self.store.account(account)
        if record is None:
            raise ApiError(404, f"there is no account {account}")
        return record

    def _strategy(self, strategy_id: int) -> StrategyRecord:
        record = self.store.strategy(strategy_id)
        if record is None:
            raise ApiError(404, f"there is no strategy {strategy_id}")
        return record

    def _strategy_name(self, strategy_id: int) -> str | None:
        record = self.store.strategy(strategy_id)
        return None if record is None else record.document["bot_strategy_name"]


def _answer(
    document: dict[str, Any], *, status: int = 200, wake_ups: tuple[WakeUp, ...] = ()
) -> Answer:
    return Answer(response=json_response(document, status=status), wake_ups=wake_ups)


def _account(record: AccountRecord) -> dict[str, Any]:
    return {**record.body(), "mt5_account_id": record.mt5_account_id}


def _strategy(record: StrategyRecord) -> dict[str, Any]:
    return {**record.body(), "id": record.strategy_id}


def _account_wake_ups(record: AccountRecord) -> tuple[WakeUp, ...]:
    account = record.mt5_account_id
    return (
        WakeUp(type=WakeUpType.TRADE_CONFIG, account=account, version=record.version),
        WakeUp(type=WakeUpType.SERVER_HEARTBEAT, account=account),
    )


def _edited_account(done: Edit[AccountRecord], now: datetime) -> tuple[WakeUp, ...]:
    trade, heartbeat = _account_wake_ups(done.after)
    wake_ups: list[WakeUp] = []
    if done.before.version != done.after.version:
        wake_ups.append(trade)
    if done.before.heartbeat(now) != done.after.heartbeat(now):
        wake_ups.append(heartbeat)
    return tuple(wake_ups)


def _strategy_wake_ups(record: StrategyRecord) -> tuple[WakeUp, ...]:
    return (
        WakeUp(
            type=WakeUpType.STRATEGY_CONFIG,
            strategy_id=record.strategy_id,
            version=record.version,
        ),
    )
