"""The script that writes: every call passes, and what came of it is a line.

========================================= =============================================
line                                      means
========================================= =============================================
``["in", call, arguments, answer]``       something came in
``["same", call, arguments]``             it came in as it was the last time
``["more", call, arguments, n, answer]``  it came in as the last time, from the nth item
                                          (from 0) on, and these items after them
``["raised", call, arguments, error]``    the call failed
``["call", call, arguments]``             it was called, and there is no answer
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
from typing import Any, TypeVar, cast

from runner.ports import Clock
from runner.recorder.ports import Call
from runner.recorder.segments import Segments
from runner.serde.journal import JournalCodec, write_line

log = logging.getLogger("mt5runner.recorder")

T = TypeVar("T")

SECRET = "***"  # noqa: S105 - this is what is written instead
"""Stands where a secret has been."""

_FLUSH_EVERY = 1.0  # seconds; what a killed process loses at most
_MOST_LINES = 20_000  # kept in memory, for a market that is played as fast as it goes
_SHORTEST_SECRET = 5  # characters; shorter ones stand in many places by chance
_FLUSHED = "broker.send"


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
        self._texts: dict[tuple[Any, ...], str] = {(): "[]"}
        self._flush_at = math.inf
        self._has_begun = False
        self.problem = ""

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
        # Such calls are made again and again; what they bring is told from the last.
        is_asked_often = not call.is_decision and all(
            isinstance(one, str | enum.Enum) for one in args
        )
        text = self._often(args) if is_asked_often else self._arguments(args)
        if call.is_decision:
            self._write("out", call, text)
            if call.name == _FLUSHED:
                self._attempt(self._flush)
            text = "[]"
        try:
            answer = function(*args)
        except Exception as error:
            self._write("raised", call, text, self._error(error))
            raise
        if call.kind is not type(None):
            self._write_answer(call, text, answer, is_asked_often=is_asked_often)
        elif not call.is_decision:
            self._write("call", call, text)
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
    def _often(self, args: tuple[Any, ...]) -> str:
        text = self._texts.get(args)
        if text is None:
            text = self._texts[args] = self._arguments(args)
        return text

    def _arguments(self, args: tuple[Any, ...]) -> str:
        text: str | None = self._attempt(lambda: self._codec.write_arguments(args))
        return text or "[]"

    def _error(self, error: Exception) -> str:
        return self._attempt(lambda: write_line(_record(error))) or "[]"

    def _write_answer(
        self, call: Call, text: str, answer: Any, *, is_asked_often: bool
    ) -> None:
        if isinstance(answer, list | tuple) and not is_asked_often:
            self._write_list(call, text, cast("Sequence[Any]", answer))
            return
        answered: str = self._attempt(lambda: self._codec.write(answer)) or ""
        if is_asked_often:
            key = call.name, text
            if self._last.get(key) == answered:
                self._write("same", call, text)
                return
            self._last[key] = answered
        self._write("in", call, text, answered)

    def _write_list(self, call: Call, text: str, answer: Sequence[Any]) -> None:
        # A history is asked for again with each deal, and is the same but for that.
        before, self._lists[call.name] = self._lists.get(call.name, []), list(answer)
        start = before.index(answer[0]) if answer and answer[0] in before else 0
        kept = before[start:]
        if kept and kept == list(answer[: len(kept)]):
            word, first, items = "more", f"{start},", answer[len(kept) :]
        else:
            word, first, items = "in", "", answer
        added: str = self._attempt(lambda: self._codec.write(items)) or ""
        self._write(word, call, text, f"{first}{added}")

    def _write(self, word: str, call: Call, text: str, answer: str = "") -> None:
        if self.problem:
            return
        rest = f",{answer}]" if answer else "]"
        self._lines.append(self._masked(f'["{word}","{call.name}",{text}{rest}'))
        now = self._clock.monotonic()
        if now >= self._flush_at or len(self._lines) >= _MOST_LINES:
            self._attempt(self._flush)

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

    def _attempt(self, action: Callable[[], T]) -> T | None:
        """Do a part of the recorder's work; what fails ends the recording alone."""
        try:
            return action()
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


def _record(error: Exception) -> list[Any]:
    cls = type(error)
    arguments = [one for one in error.args if isinstance(one, str | int | float)]
    return [cls.__module__, cls.__qualname__, str(error), arguments]
