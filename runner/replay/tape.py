"""The script that answers from a journal, and stops at the first difference."""

from __future__ import annotations

import json
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

from runner.host.containment import OvertimeError, UncontainedError
from runner.recorder.ports import BROKEN_OFF, Call
from runner.replay.comparison import DifferenceError
from runner.replay.reading import Line
from runner.serde.journal import JournalCodec

_NO_ARGUMENTS = "[]"
_CLOCK = "clock.now"
_BREAK = f'["call","{BROKEN_OFF.name}",'


class BrokenOffError(UncontainedError):
    """The journal has no more lines, and does not say that the run had ended."""


class Tape:
    """Answers every call as it was answered; fulfils `runner.recorder.ports.Script`.

    It also knows which calls of authors' code were broken off, and fulfils
    `runner.host.watch.Breaks`. Such a call is broken off as soon as nothing came in any
    more while it ran; what it asks for then is refused.

    Args:
        lines: The run's lines.
        codec: How values are read.

    Attributes:
        break_off: Ends the open call of an author's code with that error, and says
            whether there is one.
        calls: How many calls were answered.
        count: Number of lines that were the same.
        decisions: Call to the number of decisions that were the same.
        ended: What the journal says of the run's end; empty if it breaks off.
        switched_off: Why the recorder gave up before the run ended; empty if it did
            not.
        times: The first and the last wall-clock time that was read, as text.
    """

    def __init__(self, lines: Iterator[Line], codec: JournalCodec) -> None:
        self._lines = lines
        self._codec = codec
        self._thread = threading.get_ident()
        self._line: Line | None = None
        self._last: dict[tuple[str, str], str] = {}
        self._lists: dict[str, list[Any]] = {}
        self._failed: BaseException | None = None
        self._open = "", ""
        self._began_at = 0
        self.break_off: Callable[[str], bool] = lambda _: False
        self.calls = 0
        self.count = 0
        self.decisions: Counter[str] = Counter()
        self.ended = ""
        self.switched_off = ""
        self.times: list[str] = []

    def call(
        self, call: Call, function: Callable[..., Any], args: tuple[Any, ...]
    ) -> Any:
        """Return what was answered to the same call; *function* is not called.

        Raises:
            DifferenceError: If another call stands in the journal.
            BrokenOffError: If it has no more lines.
            OvertimeError: If the call of an author's code in which this one is made was
                broken off before it came to this.
        """
        if threading.get_ident() != self._thread:
            raise RuntimeError(f"{call.name}: a replay has one thread only")
        if self._failed is not None:
            raise self._failed
        if self._end_call():
            raise OvertimeError
        try:
            return self._answer(call, self._codec.write_arguments(args))
        except (DifferenceError, BrokenOffError) as error:
            self._failed = error
            raise
        finally:
            self.calls += 1
            self._end_call()

    def due(self, name: str, where: str) -> str | None:
        """Return with which error the call that begins was broken off; None if not.

        Raises:
            BrokenOffError: If the journal has no more lines. What the process was in
                when it was killed is not made again: it may be what froze it.
        """
        if self._failed is not None:
            raise self._failed
        line = self._peek()
        if line is None:
            self._failed = BrokenOffError()
            raise self._failed
        self._open, self._began_at = (name, where), self.calls
        return self._break(line)

    def note(self, name: str, where: str, error: str) -> None:
        """Compare which call was broken off."""
        broken = name, where, error, self.calls - self._began_at
        try:
            self._answer(BROKEN_OFF, self._codec.write_arguments(broken))
        except (DifferenceError, BrokenOffError) as difference:
            self._failed = difference
            raise

    def _end_call(self) -> bool:
        """Break off the open call where that is what comes next in the journal."""
        line = None if self._failed else self._peek()
        error = None if line is None else self._break(line)
        return error is not None and self.break_off(error)

    def _break(self, line: Line) -> str | None:
        """Return the error if the line says that the present call ended here."""
        if not line.text.startswith(_BREAK):
            return None
        name, where, error, after = json.loads(line.text)[2]
        is_here = self._open == (name, where) and after == self.calls - self._began_at
        return str(error) if is_here else None

    def finish(self, ended: str) -> None:
        """Compare the end: the loop has stopped.

        Args:
            ended: Why it did.

        Raises:
            DifferenceError: If the journal goes on, or says something else.
        """
        if self._failed is None:
            line = self._peek()
            got = json.dumps(["end", ended], separators=(",", ":"))
            if line is None or line.text != got:
                self._differ(line, got)
            self.ended = ended
            self.count += 1

    def _answer(self, call: Call, arguments: str) -> Any:
        tail = f'"{call.name}",{arguments}'
        if call.is_decision:
            self._take(f'["out",{tail}]')
            self.decisions[call.name] += 1
            tail = f'"{call.name}",{_NO_ARGUMENTS}'
            if call.kind is type(None):
                following = self._peek()
                if following and following.text.startswith(f'["raised",{tail},'):
                    self._raise(self._take_answer("raised", tail))
                return None
        line = self._peek()
        if line is None:
            raise BrokenOffError
        if line.text.startswith(f'["raised",{tail},'):
            self._raise(self._take_answer("raised", tail))
        if call.kind is type(None):
            self._take(f'["call",{tail}]')
            return None
        value = self._value(call, line, arguments, tail)
        try:
            return self._codec.read(value, call.kind)
        # Whatever is wrong: this version cannot take what that one took.
        except Exception as error:  # noqa: BLE001 - see above
            problem = " ".join(f"{type(error).__name__}: {error}".split())
            self._differ(line, f"this version cannot take it: {problem}")

    def _value(self, call: Call, line: Line, arguments: str, tail: str) -> Any:
        """Return the JSON value that came in; a new one each time, as from outside."""
        if line.text == f'["same",{tail}]':
            self._step()
            text = self._last.get((call.name, arguments), "")
            if not text:
                self._differ(line, f'["in",{tail}]')
            return json.loads(text)
        if line.text.startswith(f'["more",{tail},'):
            start, added = json.loads(f"[{self._take_answer('more', tail)}]")
            self._lists[call.name] = self._lists[call.name][start:] + added
            return self._lists[call.name]
        text = self._take_answer("in", tail)
        self._last[call.name, arguments] = text
        value: Any = json.loads(text)
        if text.startswith("["):
            self._lists[call.name] = value
        elif call.name == _CLOCK:
            self.times[1:] = [str(value)]
        return value

    # -- lines -------------------------------------------------------------------------
    def _peek(self) -> Line | None:
        if self._line is None:
            self._line = next(self._lines, None)
            if self._line and self._line.text.startswith('["off",'):
                self.switched_off = json.loads(self._line.text)[1]
                self._line = None
        return self._line

    def _step(self) -> None:
        self._line = None
        self.count += 1

    def _take(self, expected: str) -> None:
        line = self._peek()
        if line is None:
            raise BrokenOffError
        if line.text != expected:
            self._differ(line, expected)
        self._step()

    def _take_answer(self, word: str, tail: str) -> str:
        line = self._peek()
        if line is None:
            raise BrokenOffError
        head = f'["{word}",{tail},'
        if not line.text.startswith(head):
            self._differ(line, f'["in",{tail}]')
        self._step()
        return line.text[len(head) : -1]

    def _raise(self, text: str) -> None:
        module, name, message, arguments = json.loads(text)
        raise recorded_error(module, name, message, arguments)

    def _differ(self, line: Line | None, got: str) -> Any:
        where = "the end" if line is None else str(line)
        if self.times:
            where = f"{where}, {self.times[-1]}"
        raise DifferenceError(where, "" if line is None else line.text, got)


def recorded_error(
    module: str, name: str, message: str, arguments: list[Any]
) -> Exception:
    """Make an error that is caught and shown as the recorded one was.

    Args:
        module: Where its class is.
        name: The class's qualified name.
        message: Its text.
        arguments: Its `args`, as far as they were plain.
    """
    found: Any = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    base = Exception
    if isinstance(found, type) and issubclass(found, Exception):
        base = found

    def make(self: Exception) -> None:
        self.args = tuple(arguments)

    def text(self: Exception) -> str:
        return message

    namespace: dict[str, Any] = {
        "__init__": make,
        "__str__": text,
        "__module__": module,
        "__qualname__": name,
    }
    cls: Any = type(name.rpartition(".")[2], (base,), namespace)
    error: Exception = cls()
    return error
