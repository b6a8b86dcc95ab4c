"""The recorder: nothing that enters the loop is forgotten, nothing stops the loop."""

from __future__ import annotations

import ast
import json
import math
import random
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import runner.loop
from runner import Account, Bar, Side, Tick, Timeframe
from runner.adapters.mt5.symbols import SymbolError
from runner.app.plugins import PluginStateIn
from runner.core.orders import Deal
from runner.link import Link
from runner.ports import UnavailableError
from runner.recorder.codec import journal_codec
from runner.recorder.observer import Observer
from runner.recorder.ports import (
    LEFT_OUT,
    PORTS,
    Call,
    calls_of,
    learn_through,
    through,
    without,
)
from runner.recorder.recorder import Recorder
from runner.recorder.segments import _LEAST, Segments, runs_of, segments_of
from runner.replay.comparison import DifferenceError
from runner.replay.reading import JournalError, find_run, read_lines
from runner.replay.tape import Tape, recorded_error
from runner.testing import FakeClock, make_account

NOW = datetime(2026, 3, 4, 12, tzinfo=UTC)
CODEC = journal_codec("7", lambda _: None)
ALL_CALLS = [call for port in PORTS for call in calls_of(port).values()]


def make(folder: Path, *secrets: str, limit: int = 1 << 30) -> Recorder:
    """Return a recorder that has begun."""
    clock = FakeClock(NOW)
    segments = Segments(folder, started_at=NOW, limit=limit)
    recorder = Recorder(segments, CODEC, clock, secrets)
    recorder.begin(lambda: {"account": "7"})
    return recorder


def texts(folder: Path) -> list[str]:
    """Return the lines of the newest run."""
    return [line.text for line in read_lines(find_run(folder))]


def market(*answers: Any, **methods: Any) -> Any:
    """Return a market whose quotes are *answers*, in order."""
    left = list(answers)

    def tick(symbol: str) -> Any:
        answer = left.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    names = dict.fromkeys(calls_of("market"))
    return SimpleNamespace(**names | {"tick": tick} | methods)


# -- nothing is forgotten --------------------------------------------------------------
@pytest.mark.parametrize("call", ALL_CALLS, ids=lambda call: call.name)
def test_what_every_call_answers_can_be_read_back(call):
    """A port's new method is recorded by itself; its type must be one we can read."""
    assert CODEC.can_read(call.kind)


def test_every_method_of_a_port_goes_through_the_script():
    """Only those are left out that the loop never calls, each with its reason."""
    methods = {
        f"{port}.{name}"
        for port, protocol in PORTS.items()
        for name, value in vars(protocol).items()
        if callable(value) and not name.startswith("_")
    }

    assert methods == {call.name for call in ALL_CALLS} | LEFT_OUT


def test_the_loop_calls_nothing_that_is_left_out():
    """What the loop calls on its ports is what is recorded."""
    folder = Path(runner.loop.__file__).parent
    holders = {f"_{port}": port for port in PORTS}
    called = {
        f"{holders[node.value.attr]}.{node.attr}"
        for file in folder.glob("*.py")
        if file.name != "pacing.py"  # plays the simulated market, which is outside
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr in holders
    }

    assert {"link.take", "broker.send", "store.put", "clock.now"} <= called
    assert set() == called - {call.name for call in ALL_CALLS}


def test_a_call_that_no_port_has_cannot_be_made():
    """So that nobody passes the recorder by."""
    link = without("link", Tape(iter(()), CODEC))

    assert not hasattr(link, "acquire_lease")
    assert hasattr(Link, "acquire_lease")


# -- lines -----------------------------------------------------------------------------
def test_a_reading_like_the_last_one_is_told_without_its_value(tmp_path):
    """A market at rest costs a few bytes a cycle."""
    quote = Tick("EURUSD", NOW, 1.1, 1.1001)
    recorder = make(tmp_path)
    port = through("market", recorder, market(quote, quote, None))
    for _ in range(3):
        port.tick("EURUSD")
    recorder.close("done")

    answer = (
        '{"symbol":"EURUSD","time":"2026-03-04T12:00:00+00:00","bid":1.1,"ask":1.1001}'
    )
    assert texts(tmp_path) == [
        f'["in","market.tick",["EURUSD"],{answer}]',
        '["same","market.tick",["EURUSD"]]',
        '["in","market.tick",["EURUSD"],null]',
        '["end","done"]',
    ]


@pytest.mark.parametrize("zero", [0.0, -0.0, math.nan, math.inf, 1 / 3, 10_000])
def test_figures_come_back_as_they_were(zero):
    """To the last bit; a whole number stays whole, a negative zero negative."""
    account = make_account(zero)

    back: Account = CODEC.read(json.loads(CODEC.write(account)), Account)

    assert repr(account) == repr(back)


def test_a_growing_history_is_told_by_what_is_new_in_it(tmp_path):
    """Deals are asked for with each deal, and are many."""
    deals = [
        Deal(
            ticket=number,
            position_id=number,
            symbol="EURUSD",
            side=Side.BUY,
            is_entry=False,
            volume=0.1,
            price=1.1,
            time=NOW + timedelta(seconds=number),
            profit=1.0,
        )
        for number in range(6)
    ]
    answers = [deals[:3], deals[1:5], deals[1:5], [], deals[2:4], deals[4:]]
    recorder = make(tmp_path)
    broker = SimpleNamespace(**dict.fromkeys(calls_of("broker")))
    left = iter(answers)
    broker.deals = lambda since: next(left)
    port: Any = through("broker", recorder, broker)
    for number in range(len(answers)):
        port.deals(NOW + timedelta(seconds=number))
    recorder.close("done")

    words = [text.split(",")[0] for text in texts(tmp_path)]
    player = without("broker", Tape(read_lines(find_run(tmp_path)), CODEC))
    played = [
        list(player.deals(NOW + timedelta(seconds=number)))
        for number in range(len(answers))
    ]

    assert words == ['["in"', '["more"', '["more"', '["in"', '["in"', '["in"', '["end"']
    assert answers == played


def test_an_error_comes_back_with_its_class_and_text(tmp_path):
    """What catches it live catches it again, and reports say the same."""
    recorder = make(tmp_path)
    errors = [SymbolError("EURUSD: two of them"), UnavailableError("no answer")]
    port = through("market", recorder, market(*errors))
    for error in errors:
        with pytest.raises(type(error)):
            port.tick("EURUSD")
    recorder.close("done")

    player = without("market", Tape(read_lines(find_run(tmp_path)), CODEC))
    with pytest.raises(KeyError) as first:
        player.tick("EURUSD")
    with pytest.raises(UnavailableError) as second:
        player.tick("EURUSD")

    assert ("SymbolError", "EURUSD: two of them", ("EURUSD: two of them",)) == (
        type(first.value).__name__,
        str(first.value),
        first.value.args,
    )
    assert "no answer" == str(second.value)


def test_an_error_of_a_class_that_is_not_here_is_still_an_error():
    """A journal may come from a machine with other plugins; nothing is imported."""
    error = recorded_error("no_such_module", "Outer.Odd", "it broke", ["a"])

    assert ("Odd", "it broke", ("a",)) == (type(error).__name__, str(error), error.args)
    assert isinstance(error, Exception)


def test_another_thread_passes_without_a_trace(tmp_path):
    """When its calls come is not the loop's doing, so a replay could not tell."""
    recorder = make(tmp_path)
    port = through("market", recorder, market(None, None))
    thread = threading.Thread(target=lambda: port.tick("XAUUSD"))
    thread.start()
    thread.join(60)
    port.tick("EURUSD")
    recorder.close("done")

    assert texts(tmp_path) == [
        '["in","market.tick",["EURUSD"],null]',
        '["end","done"]',
    ]


def test_what_a_plugin_learns_by_itself_is_in_the_journal(tmp_path):
    """A replay takes it from there and reads nothing."""
    recorder = make(tmp_path)

    def learn(what: str, read: Any) -> Any:
        return learn_through(recorder, what, read)

    store: Any = SimpleNamespace()
    state = PluginStateIn(store, "plugin.news", learn)
    assert [1, "a"] == state.learn("file", lambda: (1, "a"))
    with pytest.raises(FileNotFoundError, match="gone"):
        state.learn("file", lambda: (_ for _ in ()).throw(FileNotFoundError("gone")))
    recorder.close("done")

    tape = Tape(read_lines(find_run(tmp_path)), CODEC)
    assert [1, "a"] == learn_through(tape, "plugin.news.file", lambda: 1 / 0)
    with pytest.raises(FileNotFoundError, match="gone"):
        learn_through(tape, "plugin.news.file", lambda: 1 / 0)


# -- secrets ---------------------------------------------------------------------------
def test_a_secret_is_never_written_wherever_it_comes_from(tmp_path):
    """A server may say our key back to us in an error; the file must not."""
    secret = 'k3y-"quoted"'
    recorder = make(tmp_path, secret)
    error = UnavailableError(f"key {secret} is not accepted")
    port = through("market", recorder, market(error))
    with pytest.raises(UnavailableError, match="k3y"):
        port.tick("EURUSD")
    recorder.close(f"because of {secret}")

    lines = texts(tmp_path)
    assert [] == [line for line in lines if "k3y" in line or "quoted" in line]
    assert '["end","because of ***"]' == lines[-1]


def test_a_secret_that_is_learnt_later_is_never_written_either(tmp_path):
    """A replaced API key is known when it is first used."""
    recorder = make(tmp_path)
    recorder.hide("n3w-key")
    recorder.close("because of n3w-key")

    assert '["end","because of ***"]' == texts(tmp_path)[-1]


# -- nothing stops the loop ------------------------------------------------------------
class FullDisk(Segments):
    """Segments on a disk that is full after so many writes."""

    def __init__(self, folder: Path, writes: int) -> None:
        super().__init__(folder, started_at=NOW, limit=1 << 30)
        self.left = writes

    def write(self, lines: Any) -> bool:
        self.left -= 1
        if self.left < 0:
            raise OSError(28, "No space left on device")
        return super().write(lines)


def test_a_full_disk_switches_the_recorder_off_and_the_calls_go_on(tmp_path, caplog):
    """Log and heartbeat say so, once; what was written can be replayed."""
    clock = FakeClock(NOW)
    recorder = Recorder(FullDisk(tmp_path, 1), CODEC, clock)
    recorder.begin(lambda: {"account": "7"})
    observer = Observer(recorder, lambda: recorder.problem)
    port = through("market", recorder, market(*[None] * 40))
    assert {} == observer.describe_status(make_account(), NOW)
    for _ in range(40):
        assert None is port.tick("EURUSD")
        clock.wait(2.0)
    recorder.close("done")

    assert "OSError: [Errno 28] No space left on device" == recorder.problem
    assert 1 == len(caplog.records)
    assert "trading goes on" in caplog.text
    assert {"journal": f"OFF: {recorder.problem}"} == observer.describe_status(
        make_account(), NOW
    )
    assert texts(tmp_path) == [
        '["in","market.tick",["EURUSD"],null]',
        *['["same","market.tick",["EURUSD"]]'] * 7,
    ]


def test_a_value_that_cannot_be_written_switches_it_off_too(tmp_path, caplog):
    """Whatever an adapter comes up with: the loop has its answer."""
    recorder = make(tmp_path)
    odd = object()
    port = through("market", recorder, market(None, odd))
    port.tick("EURUSD")

    assert odd is port.tick("EURUSD")
    assert "TypeError" in recorder.problem
    assert texts(tmp_path)[-1].startswith('["off","TypeError')


def test_a_header_that_cannot_be_made_does_not_stop_the_start(tmp_path, caplog):
    """A file of a plugin may be unreadable just now."""
    segments = Segments(tmp_path, started_at=NOW, limit=1 << 30)
    recorder = Recorder(segments, CODEC, FakeClock(NOW))
    recorder.begin(lambda: {"ratio": 1 / 0})

    assert "ZeroDivisionError: division by zero" == recorder.problem
    assert () == tuple(runs_of(tmp_path))


def test_a_start_that_comes_to_nothing_leaves_no_run(tmp_path):
    """A standby that waits for its lease writes nothing."""
    segments = Segments(tmp_path, started_at=NOW, limit=1 << 30)
    recorder = Recorder(segments, CODEC, FakeClock(NOW))
    through("market", recorder, market(None)).tick("EURUSD")
    recorder.close("another runner has the account")

    assert [] == list(tmp_path.iterdir())


# -- files -----------------------------------------------------------------------------
def fill(folder: Path, started_at: datetime, count: int, limit: int) -> Segments:
    """Write so many segments of a run, each full."""
    segments = Segments(folder, started_at=started_at, limit=limit)
    for number in range(count):
        noise = bytes(
            (number * 31 + n * n * 7919 + (n * 104729 >> 7)) % 256
            for n in range(1 << 15)
        )
        while not segments.write([noise.hex()]):
            pass
    return segments


LIMIT = 16 * 64 * 1024


def test_the_oldest_runs_are_dropped_whole(tmp_path):
    """What is left of the bound is what is newest, and can be replayed."""
    for hour in range(4):
        fill(tmp_path, NOW + timedelta(hours=hour), 6, LIMIT)

    kept = [len(segments_of(run)) for run in runs_of(tmp_path)]
    size = sum(file.stat().st_size for file in tmp_path.rglob("*.gz"))

    assert [6, 6] == kept
    assert size < 2 * LIMIT
    assert find_run(tmp_path).folder.name.startswith("2026-03-04T15")


def test_a_segment_that_cannot_be_dropped_does_not_end_the_recording(tmp_path, caplog):
    """On Windows a replay of it in another window keeps it there."""
    stuck = tmp_path / "2025-01-01T000000.000000Z" / "00001.jsonl.gz"
    stuck.mkdir(parents=True)

    fill(tmp_path, NOW, 6, LIMIT)
    fill(tmp_path, NOW + timedelta(hours=1), 20, LIMIT)

    assert stuck.exists()
    assert "is kept until the next segment" in caplog.text
    size = sum(file.stat().st_size for file in tmp_path.rglob("*.gz"))
    assert size < 2 * LIMIT
    assert runs_of(tmp_path)[-1].name.startswith("2026-03-04T13")


def test_what_was_asked_once_is_not_remembered_for_ever(tmp_path):
    """State of positions is read by ticket, and tickets have no end."""
    recorder = make(tmp_path, limit=16 * _LEAST)
    call = Call("store.get", Any, ("namespace", "key"))
    for number in range(20_008):
        text = random.Random(number).randbytes(16).hex()
        recorder.call(call, lambda *_: None, ("strategy", text))
    recorder.close("done")

    assert 2 == len(segments_of(runs_of(tmp_path)[-1]))
    assert len(recorder._texts) < 20


def test_a_run_beyond_the_bound_loses_its_beginning_and_says_so(tmp_path, caplog):
    """It can be read then, and a replay refuses it with the reason."""
    fill(tmp_path, NOW, 20, LIMIT)

    assert 1 == len(caplog.records)
    assert "it can be read and not replayed" in caplog.text
    with pytest.raises(JournalError, match="restart the runner now and then"):
        find_run(tmp_path)


def test_each_segment_can_be_read_by_itself(tmp_path):
    """The first reading of each call in a segment has its value."""
    clock = FakeClock(NOW)
    segments = Segments(tmp_path, started_at=NOW, limit=16 * _LEAST)
    recorder = Recorder(segments, CODEC, clock)
    recorder.begin(lambda: {"account": "7"})
    noise = random.Random(1)
    quotes = [Tick("EURUSD", NOW, 1.1, noise.random()) for _ in range(30_000)]
    port = through("market", recorder, market(*quotes, *[quotes[-1]] * 3))
    for _ in quotes:
        port.tick("EURUSD")
    clock.wait(2.0)
    for _ in range(3):
        port.tick("EURUSD")
    recorder.close("done")

    run = find_run(tmp_path)
    first_of: dict[str, str] = {}
    for line in read_lines(run):
        first_of.setdefault(line.segment, line.text)
    assert 2 <= len(first_of)
    assert {'["in"'} == {text.split(",")[0] for text in first_of.values()}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("note.txt", b"", "expected a segment"),
        ("00001.jsonl.gz", b"", "does not begin as a journal does"),
        ("00001.jsonl.gz", b"no gzip", "cannot be read"),
        ("00002.jsonl.gz", b"", "begins with segment 2"),
        ("old.jsonl.gz", b"", "no segment"),
    ],
)
def test_what_is_no_journal_is_refused(tmp_path, name, content, message):
    """One line says which file, and what is wrong with it."""
    (tmp_path / name).write_bytes(content)

    with pytest.raises(JournalError, match=message):
        find_run(tmp_path / name)


def test_of_several_accounts_one_has_to_be_named(tmp_path):
    """The newest run of which account could not be told."""
    for account in ("1", "2"):
        make(tmp_path / account).close("done")

    with pytest.raises(JournalError, match="name one account's folder in it: 1, 2"):
        find_run(tmp_path)
    with pytest.raises(JournalError, match="no such file or folder"):
        find_run(tmp_path / "3")
    (tmp_path / "4").mkdir()
    with pytest.raises(JournalError, match="there is no journal in it"):
        find_run(tmp_path / "4")


# -- the tape --------------------------------------------------------------------------
def test_another_call_than_the_recorded_one_is_a_difference_for_good(tmp_path):
    """Whoever swallows it meets it again: nothing goes on after it."""
    recorder = make(tmp_path)
    through("market", recorder, market(None)).tick("EURUSD")
    recorder.close("done")
    tape = Tape(read_lines(find_run(tmp_path)), CODEC)
    player = without("market", tape)

    for symbol in ("XAUUSD", "EURUSD"):
        with pytest.raises(DifferenceError) as caught:
            player.tick(symbol)

    assert "entry 1 (00001.jsonl.gz)" == caught.value.where
    assert 'arguments[0][0]: "EURUSD" -> "XAUUSD"' in str(caught.value)


def test_a_loop_that_ends_before_its_journal_is_different(tmp_path):
    """And one that ends for another reason too."""
    recorder = make(tmp_path)
    through("market", recorder, market(None)).tick("EURUSD")
    recorder.close("done")

    with pytest.raises(DifferenceError, match="tick"):
        Tape(read_lines(find_run(tmp_path)), CODEC).finish("done")


def test_bars_keep_their_timeframe():
    """An enum comes back as the member, by itself and in lists."""
    bar = Bar("EURUSD", Timeframe.H1, NOW, 1.0, 1.2, 0.9, 1.1, 7, 2)
    [call] = [call for call in ALL_CALLS if call.name == "market.history"]

    back = CODEC.read(json.loads(CODEC.write([bar])), call.kind)

    assert [bar] == list(back)
