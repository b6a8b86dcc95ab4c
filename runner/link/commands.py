"""Commands: kept on disk, told to the loop, acknowledged; by REST without Redis."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from typing import Protocol, assert_never

import attrs

from runner.core import command_flow
from runner.core.command_flow import CommandFlow
from runner.core.config_flow import Backoff, Timing
from runner.link.events import CommandSeen, LinkEvent
from runner.link.memory import Memory
from runner.ports import Clock, Fetched
from runner.wire.acks import CommandAck, CommandState, command_field
from runner.wire.commands import Command, read_commands_body
from runner.wire.encoding import WireError

log = logging.getLogger("mt5runner.link")

_NEVER = math.inf
_OK = 200
_NOT_SOON = (401, 403, 404, 405)


class Post(Protocol):
    """What the commands need of the worker around them."""

    def emit(self, event: LinkEvent, /) -> None:
        """Tell the loop."""
        ...

    def fetch_commands(self, answer: Callable[[Fetched], None], /) -> None:
        """Ask the API for the commands."""
        ...

    def hurry(self) -> None:
        """Send acknowledgements soon."""
        ...

    def draw(self) -> float:
        """Return a random number in [0, 1)."""
        ...

    @property
    def epoch(self) -> int | None:
        """Our fencing number."""
        ...


class Commands:
    """The account's and the fleet's command.

    Args:
        post: The worker around it.
        memory: What outlives a restart.
        clock: Time.
        timing: Intervals.
    """

    def __init__(
        self, *, post: Post, memory: Memory, clock: Clock, timing: Timing
    ) -> None:
        self._post = post
        self._memory = memory
        self._clock = clock
        self._timing = timing
        self._flow = CommandFlow()
        self._acks: dict[int, str] = {}
        self._backoff = Backoff(timing.retry)
        self._trouble = ""
        self._is_polling = False
        self.due_at = _NEVER

    def recall(self) -> None:
        """Tell what was in force before the restart.

        Raises:
            StateError: If that is not known.
        """
        self._flow = self._memory.commands()
        if self._flow.obeyed is not None:
            self._post.emit(CommandSeen(command=self._flow.obeyed))

    def see(
        self, account: Mapping[str, str] | None, fleet: Mapping[str, str] | None
    ) -> None:
        """Take the two hashes; None for no information."""
        self._take(self._read("account", account), self._read("fleet", fleet))

    # -- acknowledgements --------------------------------------------------------------
    @property
    def acks(self) -> Mapping[str, str]:
        """What became of the commands in force, field to JSON text."""
        return {command_field(seq): text for seq, text in self._acks.items()}

    def acknowledge(self, ack: CommandAck) -> None:
        """Tell the server what became of a command."""
        ack = attrs.evolve(ack, epoch=self._post.epoch)
        self._acks[ack.seq] = ack.to_json()
        self._post.hurry()

    # -- by REST -----------------------------------------------------------------------
    def poll(self, delay: float) -> None:
        """Begin to ask the API, *delay* seconds from now."""
        self._is_polling = True
        self.due_at = self._clock.monotonic() + delay

    def rest(self) -> None:
        """Ask the API no more: Redis tells."""
        self._is_polling = False
        self.due_at = _NEVER

    def ask(self) -> None:
        """Ask the API now."""
        self.due_at = _NEVER
        self._post.fetch_commands(self._answer)

    def _answer(self, fetched: Fetched) -> None:
        trouble = ""
        if fetched.status != _OK:
            trouble = f"HTTP {fetched.status}" if fetched.status else "no answer"
        if not trouble:
            try:
                self._take(*read_commands_body(fetched.body))
            except WireError as error:
                trouble = str(error)
        if trouble and trouble != self._trouble:
            log.info("no commands from the API (%s)", trouble)
        self._trouble = trouble
        delay = self._timing.poll * (0.9 + 0.2 * self._post.draw())
        if trouble:
            is_slow = fetched.status in _NOT_SOON
            regime = self._timing.slow if is_slow else self._timing.retry
            self._backoff = self._backoff.failed(regime)
            wanted = self._backoff.delay(self._post.draw(), fetched.retry_after)
            delay = max(delay, wanted)
        else:
            self._backoff = self._backoff.succeeded()
        if self._is_polling:
            self.due_at = self._clock.monotonic() + delay

    # -- what follows ------------------------------------------------------------------
    def _read(self, level: str, fields: Mapping[str, str] | None) -> Command | None:
        if fields is None:
            return None
        try:
            return Command.from_hash(fields)
        except WireError as error:
            self._reject(level, fields.get("seq", ""), error)
            return None

    def _reject(self, level: str, seq: str, error: WireError) -> None:
        if not seq.isdigit() or int(seq) in self._acks:
            return
        log.error("the %s's command %s cannot be obeyed: %s", level, seq, error)
        self._say(int(seq), CommandState.FAILED, (str(error),))

    def _take(self, account: Command | None, fleet: Command | None) -> None:
        self._flow, outputs = command_flow.step(self._flow, account, fleet)
        for output in outputs:
            match output:
                case command_flow.Persist(flow):
                    self._memory.keep_commands(flow)
                    known = {one.seq for one in (flow.account, flow.fleet) if one}
                    self._acks = {
                        seq: ack for seq, ack in self._acks.items() if seq in known
                    }
                case command_flow.Receive(command):
                    self._say(command.seq, CommandState.RECEIVED)
                case command_flow.Act(command):
                    log.warning(
                        "command %d: %s by %s: %s",
                        command.seq,
                        command.action,
                        command.issued_by or "unknown",
                        command.reason or "no reason given",
                    )
                    self._post.emit(CommandSeen(command=command))
                case _:
                    assert_never(output)

    def _say(self, seq: int, state: CommandState, errors: tuple[str, ...] = ()) -> None:
        now = self._clock.now()
        self.acknowledge(CommandAck(seq=seq, state=state, at=now, errors=errors))
