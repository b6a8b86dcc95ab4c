"""The script that writes: every call passes, and what came of it is a line.

========================================= =============================================
line                                      means
========================================= =============================================
``["in", call, arguments, answer]``       something came in
``["same", call, arguments]``             it came in as it was the last time
``["more", call, arguments, n, answer]``  it came in as the last time, from the nth item
                                          (from 0) on, and these items after them
``["raised", call, arguments, error]``    the call failed
``["call", call, arguments]``             it was called, and there is no answer;
                                          ``watch.broken_off``: a strategy or plugin was
                                          broken off for its time, after so many
                                          calls of its own
``["out", call, arguments]``              a decision, written before it is carried out
``["end", reason]``                       the run ended, and the journal is whole
``["off", reason]``                       the recorder failed; the run went on
========================================= =============================================

The answer to a decision, where there is one, follows it with empty arguments.
"""

from __future__ import annotations

import contextlib
import enum
import json
import logging
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ParamSpec, TypeVar, cast

from runner.ports import Clock
from runner.recorder.ports import Call
from runner.recorder.segments import Segments
from runner.serde.journal import JournalCodec, write_line

log = logging.getLogger("mt5runner.recorder")

P = ParamSpec("P")
T = TypeVar("T")

SECRET = "***"  # noqa: S105 - this is what is written instead
"""Stands where a secret has been."""

_FLUSH_EVERY = 1.0  # seconds; what a killed process loses at most
_MOST_LINES = 20_000  # kept in memory, for a market that is played as fast as it goes
_SHORTEST_SECRET = 5  # characters; shorter ones stand in many places by chance
_LOOK_EVERY = 8  # lines between two looks at the clock; a cycle has some twenty
_FLUSHED = "broker.send"
_NO_ARGUMENTS = "[]"


class Recorder:
    """Writes the journal of one run; fulfils `runner.recorder.ports.Script`.

    Trading never depends on it: whatever goes wrong here switches it off, loudly. Calls
    from other threads than its own pass without a trace, since a replay could not tell
    when they were made.

    Args:
        segments: The files.
        codec: How values are written.
        clock: Says when it is time to flush.
        secrets: What must never be written down.

    Attributes:
        problem: Why nothing is written any more; empty while it is.
        calls: How many calls are written down.
    """

    def __init__(
        self,
        segments: Segments,
        codec: JournalCodec,
        clock: Clock,
        secrets: Sequence[str] = (),
    ) -> None:
        self._segments = segments
        self._codec = codec
        self._clock = clock
        self._secrets = [
            json.dumps(secret)[1:-1]
            for secret in secrets
            if len(secret) >= _SHORTEST_SECRET
        ]
        self._thread = threading.get_ident()
        self._lines: list[str] = []
        self._last: dict[tuple[str, str], str] = {}
        self._lists: dict[str, list[Any]] = {}
        self._texts: dict[tuple[Any, ...], str] = {(): _NO_ARGUMENTS}
        self._flush_at = math.inf
        self._has_begun = False
        self.problem = ""
        self.calls = 0

    def begin(self, header: Callable[[], Mapping[str, Any]]) -> None:
        """Write from now on: the loop starts. Until then lines are only kept.

        Args:
            header: Returns what every segment begins with.
        """
        text = self._attempt(lambda: self._masked(write_line(header())))
        self._segments.header = text or "{}"
        self._has_begun = not self.problem
        self._flush_at = self._clock.monotonic()

    def call(
        self, call: Call, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Any:
        """Return the answer of *function*, and write it down."""
        if self.problem or threading.get_ident() != self._thread:
            return function(*args)
        text = self._attempt(self._write_call, call, args) or _NO_ARGUMENTS
        # What breaks off here leaves a line of a decision, and none of another call.
        self.calls += call.is_decision
        try:
            answer = function(*args)
        except Exception as error:
            self._attempt(self._write_error, call, text, error)
            self.calls += not call.is_decision
            raise
        self._attempt(self._write_answer, call, text, args, answer)
        self.calls += not call.is_decision
        return answer

    def close(self, reason: str) -> None:
        """Write what is left, and that the run has ended.

        Args:
            reason: Why it ended.
        """
        if self._has_begun and not self.problem:
            self._lines.append(self._masked(f'["end",{write_line(reason)}]'))
            self._attempt(self._flush)
            self._attempt(self._segments.close)

    # -- lines -------------------------------------------------------------------------
    def _write_call(self, call: Call, args: tuple[Any, ...]) -> str:
        """Write a decision; return what its answer or any other call begins with."""
        if not call.is_decision:
            return self._arguments(args)
        self._write("out", call, self._codec.write_arguments(args))
        if call.name == _FLUSHED:
            self._flush()
        return _NO_ARGUMENTS

    def _arguments(self, args: tuple[Any, ...]) -> str:
        try:
            text = self._texts.get(args)
        except TypeError:  # something in them has no hash
            text = None
        if text is None:
            text = self._codec.write_arguments(args)
            # Such calls are made again and again.
            if all(isinstance(one, str | enum.Enum) for one in args):
                self._texts[args] = text
        return text

    def _write_answer(
        self, call: Call, text: str, args: tuple[Any, ...], answer: Any
    ) -> None:
        if call.kind is type(None):
            if not call.is_decision:
                self._write("call", call, text)
        elif call.is_decision:
            self._write("in", call, text, self._codec.write(answer))
        elif text == _NO_ARGUMENTS or self._texts.get(args) is text:
            answered = self._codec.write(answer)
            key = call.name, text
            if self._last.get(key) == answered:
                self._write("same", call, text)
            else:
                self._last[key] = answered
                self._write("in", call, text, answered)
        elif isinstance(answer, list | tuple):
            self._write_list(call, text, cast("Sequence[Any]", answer))
        else:
            self._write("in", call, text, self._codec.write(answer))

    def _write_list(self, call: Call, text: str, answer: Sequence[Any]) -> None:
        # A history is asked for again with each deal, and is the same but for that.
        before, self._lists[call.name] = self._lists.get(call.name, []), list(answer)
        start = before.index(answer[0]) if answer and answer[0] in before else 0
        kept = before[start:]
        if kept and kept == list(answer[: len(kept)]):
            added = self._codec.write(answer[len(kept) :])
            self._write("more", call, text, f"{start},{added}")
        else:
            self._write("in", call, text, self._codec.write(answer))

    def _write_error(self, call: Call, text: str, error: Exception) -> None:
        cls = type(error)
        arguments = [one for one in error.args if isinstance(one, str | int | float)]
        record = [cls.__module__, cls.__qualname__, str(error), arguments]
        self._write("raised", call, text, write_line(record))

    def _write(self, word: str, call: Call, text: str, answer: str = "") -> None:
        rest = f",{answer}]" if answer else "]"
        line = f'["{word}","{call.name}",{text}{rest}'
        self._lines.append(self._masked(line) if self._secrets else line)
        # A glance at the clock costs as much as a line.
        count = len(self._lines)
        if count % _LOOK_EVERY == 0 and (
            count >= _MOST_LINES or self._clock.monotonic() >= self._flush_at
        ):
            self._flush()

    def _masked(self, line: str) -> str:
        for secret in self._secrets:
            line = line.replace(secret, SECRET)
        return line

    def _flush(self) -> None:
        if not self._has_begun or not self._lines:
            return
        lines, self._lines = self._lines, []
        self._flush_at = self._clock.monotonic() + _FLUSH_EVERY
        if self._segments.write(lines):
            # So that each segment says by itself what came in.
            self._last.clear()
            self._lists.clear()

    def _attempt(
        self, action: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T | None:
        """Do a part of the recorder's work; what fails ends the recording alone."""
        try:
            return action(*args, **kwargs)
        # A full disk, a value that nobody thought of: none of it may stop the trading.
        except Exception as error:  # noqa: BLE001 - see above
            if not self.problem:
                self._give_up(" ".join(f"{type(error).__name__}: {error}".split()))
            return None

    def _give_up(self, problem: str) -> None:
        self.problem = problem
        log.error(
            "the journal is switched off until the next start: %s; trading goes on",
            problem,
        )
        with contextlib.suppress(Exception):
            if self._has_begun:
                self._segments.write([*self._lines, f'["off",{write_line(problem)}]'])
        with contextlib.suppress(Exception):
            self._segments.close()
        self._lines.clear()
