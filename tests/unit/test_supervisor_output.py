"""One log, the account on each line, and nobody waits for its reader."""

from __future__ import annotations

import io
import json
import logging
import re
import threading

import pytest

from runner.logs import formatter
from runner.supervisor.output import Printer, labelled


def _record(message):
    return logging.LogRecord("mt5runner.orders", logging.INFO, "", 0, message, (), None)


@pytest.mark.parametrize("log_format", ["text", "json"])
def test_what_a_worker_logs_stands_as_it_is(log_format):
    """It bears the account already."""
    line = formatter(log_format, "7").format(_record("opened"))

    assert line == labelled(f"{line}\r\n".encode(), "7", log_format)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'  File "bot.py", line 3, in on_bar\n', '  File "bot.py", line 3, in on_bar'),
        (b"Fatal Python error: Segmentation fault\n", "Fatal Python error: Seg"),
        (b"no text: \xe9 \xff\n", "no text: \\xe9 \\xff"),
        (b"\n", ""),
        (b"{broken json\n", "{broken json"),
        (b'{"a":' * 9_999 + b"\n", '{"a":{"a":'),
        (b"{}\n", "{}"),
        (b'{"account": "8"}\n', '{"account": "8"}'),
        (b"2026-03-02 12:30:05 INFO    8 orders: a\n", "2026-03-02 12:30:05 INFO    8"),
    ],
)
def test_anything_else_becomes_a_line_of_the_log(line, message):
    """A traceback, a crash of native code, bytes that are no text: all are kept."""
    text = labelled(line, "7", "text")
    fields = json.loads(labelled(line, "7", "json"))

    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d WARNING 7 output: ", text)
    assert message in text
    assert ("7", "WARNING", "mt5runner.output") == (
        fields["account"],
        fields["level"],
        fields["logger"],
    )
    assert fields["message"].startswith(message)


class Stuck(io.StringIO):
    """A stream whose reader does not read until it is let."""

    def __init__(self):
        super().__init__()
        self.asked, self.open = threading.Event(), threading.Event()

    def write(self, text):
        self.asked.set()
        assert self.open.wait(60)
        return super().write(text)


def test_a_reader_that_does_not_keep_up_holds_up_nobody_and_losses_are_told(caplog):
    """What finds no room is lost and counted; the rest comes in order."""
    stream = Stuck()
    printer = Printer(stream, most=3)
    printer.write("0\n")
    assert stream.asked.wait(60)  # the thread holds the first and waits
    for number in range(1, 9):
        printer.write(f"{number}\n")

    stream.open.set()
    printer.close(60)

    assert "0\n1\n2\n3\n" == stream.getvalue()
    assert [
        "5 lines of this log were lost: its reader did not keep up"
    ] == caplog.messages


def test_a_worker_that_prints_without_end_takes_nobody_s_lines_away(caplog):
    """Least of all those in which the supervisor says what is wrong."""
    stream = Stuck()
    printer = Printer(stream, most=9, accounts=2)
    printer.write("0\n", "101")
    assert stream.asked.wait(60)
    for number in range(100):
        printer.write(f"flood {number}\n", "101")
    for number in range(3):
        printer.write(f"102 trades {number}\n", "102")
        printer.write(f"FROZEN {number}\n")

    stream.open.set()
    printer.close(60)

    lines = stream.getvalue().splitlines()
    assert ["flood 0", "flood 1", "flood 2"] == [one for one in lines if "flood" in one]
    assert 3 == sum("trades" in one for one in lines)
    assert 3 == sum("FROZEN" in one for one in lines)
    assert ["97 lines of this log were lost: its reader did not keep up"] == (
        caplog.messages
    )
    assert not +printer._used  # its part is free again


def test_a_stream_that_is_closed_ends_nothing(caplog):
    """The workers' output goes on being read, or they would stand still."""
    stream = io.StringIO()
    stream.close()
    printer = Printer(stream)

    printer.write("into the void\n")
    printer.close(60)

    assert not printer._thread.is_alive()


def test_lines_of_many_threads_stay_whole():
    """The supervisor's own lines and those of each worker come from threads."""
    stream = io.StringIO()
    printer = Printer(stream)

    def write(name: str) -> None:
        for _ in range(99):
            printer.write(f"{name * 50}\n")

    threads = [threading.Thread(target=write, args=(name,)) for name in "abc"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    printer.close(60)

    lines = stream.getvalue().splitlines()
    assert {name * 50: 99 for name in "abc"} == {
        line: lines.count(line) for line in set(lines)
    }
