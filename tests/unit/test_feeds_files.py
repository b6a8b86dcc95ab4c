"""Bars and ticks from files: what is read, and how a bad line is refused."""

from __future__ import annotations

import gzip
import importlib.util
import logging
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from runner.adapters.feeds.csv_bars import CsvBars
from runner.adapters.feeds.csv_ticks import TickFile
from runner.adapters.feeds.merge import BarFiles, TickFiles
from runner.adapters.feeds.rows import BarFile, timeframe_of
from runner.adapters.feeds.spec import (
    FilesSpec,
    SyntheticSpec,
    open_bar_files,
    open_feed,
    parse_files,
    parse_spec,
)
from runner.adapters.feeds.synthetic import SyntheticFeed
from runner.core.market import Bar, Tick, Timeframe
from runner.core.server_time import NEW_YORK_CLOSE, ServerZone
from runner.ports import FeedError

HEADER = "time,open,high,low,close,tick_volume,spread\n"
GOOD = (
    "2026-01-15T10:00:00Z,1.1,1.2,1.0,1.15,100,12\n"
    "2026-01-15T11:00:00Z,1.15,1.15,1.05,1.1,,\n"
    "2026-01-15T12:00:00Z,1.1,1.10000,1.1,1.1,5,0\n"
)
EXPORT = (
    "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
    "2026.01.15\t12:00:00\t1.1\t1.2\t1.0\t1.15\t100\t0\t12\n"
    "2026.01.15\t13:00:00\t1.15\t1.15\t1.05\t1.1\t50\t0\t9\n"
)


def at(hour: int, day: int = 15) -> datetime:
    """Return an hour of January 2026, UTC-aware."""
    return datetime(2026, 1, day, hour, tzinfo=UTC)


@pytest.fixture
def write(tmp_path: Path) -> Any:
    """A function that writes a file and returns its path."""

    def write(content: str, name: str = "bars.csv", encoding: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(content.encode(encoding))
        return path

    return write


def read(path: Path, zone: ServerZone | None = None) -> list[Bar]:
    """Return the bars of a file as EURUSD's."""
    return list(BarFile("EURUSD", CsvBars(path, zone)).bars())


def test_bars_are_read_as_they_are(write: Any) -> None:
    """Prices are bids, spread in points; empty figures are 0."""
    h1 = Timeframe.H1

    assert [
        Bar("EURUSD", h1, at(10), 1.1, 1.2, 1.0, 1.15, 100, 12),
        Bar("EURUSD", h1, at(11), 1.15, 1.15, 1.05, 1.1, 0, 0),
        Bar("EURUSD", h1, at(12), 1.1, 1.1, 1.1, 1.1, 5, 0),
    ] == read(write(HEADER + GOOD))


def test_file_can_be_read_again(write: Any) -> None:
    """A feed may be played twice."""
    file = BarFile("EURUSD", CsvBars(write(HEADER + GOOD)))

    assert list(file.bars()) == list(file.bars())


def test_gzip_is_known_by_its_first_bytes(tmp_path: Path) -> None:
    """Whatever it is called."""
    path = tmp_path / "bars.csv"
    path.write_bytes(gzip.compress((HEADER + GOOD).encode()))

    assert 3 == len(read(path))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_metatraders_export_is_read(write: Any, encoding: str, newline: str) -> None:
    """With tabs, points in dates, a mark of its encoding, Windows' line ends."""
    path = write(EXPORT.replace("\n", newline), encoding=encoding)

    first, second = read(path, NEW_YORK_CLOSE)

    assert (at(10), at(11)) == (first.opens_at, second.opens_at)
    assert (1.1, 1.2, 1.0, 1.15, 100, 12) == (
        first.open,
        first.high,
        first.low,
        first.close,
        first.tick_volume,
        first.spread,
    )


def test_export_of_daily_bars_has_no_times(write: Any) -> None:
    """The column <TIME> is missing there; the day begins at the server's midnight."""
    content = (
        "<DATE>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>\n"
        "2026.01.14\t1\t1\t1\t1\t1\t0\t1\n2026.01.15\t1\t1\t1\t1\t1\t0\t1\n"
    )

    bars = read(write(content), NEW_YORK_CLOSE)

    assert [at(22, 13), at(22, 14)] == [bar.opens_at for bar in bars]
    assert Timeframe.D1 is bars[0].timeframe


def test_export_without_a_timezone_is_read_as_utc_and_says_so(
    write: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Its times are the server's, which nothing in it names."""
    with caplog.at_level(logging.WARNING, "mt5runner.feeds"):
        assert at(12) == read(write(EXPORT))[0].opens_at
    assert "no server timezone is given" in caplog.text


@pytest.mark.parametrize(
    ("text", "zone", "expected"),
    [
        ("2026-01-15 10:00:00", None, at(10)),
        ("2026-01-15T10:00+02:00", None, at(8)),
        ("2026-01-15T10:00", NEW_YORK_CLOSE, at(8)),
        ("2026-01-15T10:00Z", NEW_YORK_CLOSE, at(10)),
        ("2026-07-15 10:00", NEW_YORK_CLOSE, datetime(2026, 7, 15, 7, tzinfo=UTC)),
        ("2026.01.15 10:00", None, at(10)),
    ],
)
def test_time_without_an_offset_is_in_the_servers_zone(
    write: Any, text: str, zone: ServerZone | None, expected: datetime
) -> None:
    """UTC unless a zone is given; an offset in the file wins."""
    rest = ",1,1,1,1,,\n"
    path = write(f"{HEADER}{text}{rest}2027-01-01T00:00Z{rest}2027-01-01T01:00Z{rest}")

    (_, row), *_ = CsvBars(path, zone).rows()

    assert expected == row[0]


def test_last_two_columns_may_be_missing(write: Any) -> None:
    """A file without volumes and spreads has a shorter header."""
    path = write(
        "time,open,high,low,close\n"
        "2026-01-15T10:00Z,1,1,1,1\n2026-01-15T11:00Z,1,1,1,1\n"
    )

    assert [(0, 0), (0, 0)] == [(bar.tick_volume, bar.spread) for bar in read(path)]


def test_whole_numbers_may_be_written_as_floats(write: Any) -> None:
    """As a table library writes a column that has holes."""
    path = write(
        f"{HEADER}2026-01-15T10:00Z,1,1,1,1,7.0,3.0\n2026-01-15T11:00Z,1,1,1,1,,\n"
    )

    assert (7, 3) == (read(path)[0].tick_volume, read(path)[0].spread)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2026-01-15T13:00Z,1,1,1,1,", r":5: expected 7 fields, got 6"),
        ("yesterday,1,1,1,1,,", r":5: expected time,open,.*got yesterday"),
        ("2026-01-15T13:00Z,one,1,1,1,,", r":5: expected time,.*'one'"),
        ("2026-01-15T13:00Z,1,1,1,1,x,", r":5: expected time,.*'x'"),
        ("2026-01-15T13:00Z,1,1,1,1,1.5,", r":5: expected time,.*'1.5'"),
        ("2026-01-15T13:00Z,1.1,1.0,1.0,1.0,,", r":5: expected 0 < low <= open"),
        ("2026-01-15T13:00Z,1,1,1.1,1,,", r":5: expected 0 < low <= open"),
        ("2026-01-15T13:00Z,1,1,1,2,,", r":5: expected 0 < low <= open"),
        ("2026-01-15T13:00Z,0,0,0,0,,", r":5: expected 0 < low <= open"),
        ("2026-01-15T13:00Z,nan,1,1,1,,", r":5: expected 0 < low <= open"),
        ("2026-01-15T13:00Z,1,inf,1,1,,", r":5: expected 0 < low <= open"),
        ("2026-01-15T13:00Z,1,1,1,1,-1,", r":5: expected tick_volume and spread"),
        ("2026-01-15T12:00Z,1,1,1,1,,", r":5: expected a time after 2026-01-15T12"),
        ("2026-01-15T09:00Z,1,1,1,1,,", r":5: expected a time after"),
    ],
)
def test_bad_line_is_one_clear_error(write: Any, line: str, message: str) -> None:
    """File, line, what was expected, what is there; found at the start."""
    path = write(f"{HEADER}{GOOD}{line}\n")

    with pytest.raises(FeedError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:5: ")


def test_bad_line_late_in_the_file_stops_the_play(write: Any) -> None:
    """What is beyond the sample is checked when it is read."""
    start = at(0)
    lines = [
        f"{(start + timedelta(minutes=n)).isoformat()},1,1,1,1,,\n" for n in range(1500)
    ]
    file = BarFile("EURUSD", CsvBars(write(HEADER + "".join(lines) + "broken\n")))
    bars = file.bars()

    for _ in range(1500):
        next(bars)
    with pytest.raises(FeedError, match=":1502: expected 7 fields, got 1"):
        next(bars)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "got nothing"),
        ("open,high,low,close", "expected the header time,open"),
        ("time,open,high,low,close,wolume", "got time,open,high,low,close,wolume"),
        ("time,open,high,low,close,close", "expected the header"),
        ("<DATE>\t<OPEN>\t<HIGH>\t<LOW>", "MetaTrader's export"),
    ],
)
def test_wrong_header_is_refused(write: Any, header: str, message: str) -> None:
    """A file is known by its first line."""
    with pytest.raises(FeedError, match=message):
        read(write(f"{header}\n1,2,3,4\n"))


def test_header_may_have_another_order_and_real_volume(write: Any) -> None:
    """Columns are found by their names; real_volume is known, and not needed."""
    path = write(
        "Time, Close,Low,High,Open,real_volume\n"
        "2026-01-15T10:00Z,1.1,1,1.3,1.2,0\n2026-01-15T11:00Z,1,1,1,1,0\n"
    )

    first = read(path)[0]

    assert (1.2, 1.3, 1.0, 1.1) == (first.open, first.high, first.low, first.close)


def test_unreadable_file_is_named(tmp_path: Path, write: Any) -> None:
    """Missing, truncated, or no text at all."""
    missing = tmp_path / "missing.csv"
    with pytest.raises(FeedError, match=r"missing\.csv: cannot be read"):
        read(missing)
    truncated = tmp_path / "truncated.csv.gz"
    truncated.write_bytes(gzip.compress((HEADER + GOOD * 1).encode())[:-12])
    with pytest.raises(FeedError, match=r"truncated\.csv\.gz: cannot be read"):
        read(truncated)
    with pytest.raises(FeedError, match="cannot be read"):
        read(write(HEADER + "ä,1\n", encoding="latin-1"))


def test_timeframe_is_the_commonest_gap() -> None:
    """Weekends and holes do not hide it."""
    path = Path("x")
    times = [at(hour) for hour in (1, 2, 3, 7, 8)]

    assert Timeframe.H1 is timeframe_of(path, times)
    months = [datetime(2026, month, 1, tzinfo=UTC) for month in range(1, 6)]
    assert Timeframe.MN1 is timeframe_of(path, months)
    with pytest.raises(FeedError, match="at least two bars"):
        timeframe_of(path, times[:1])
    with pytest.raises(FeedError, match="a MetaTrader timeframe, got one every 7:00"):
        timeframe_of(path, [at(1), at(8), at(15)])


def test_decimals_are_as_written(write: Any) -> None:
    """552.800 has three decimals; binary noise counts as none."""
    three = "2026-01-15T10:00Z,552.800,553,552,553,,\n2026-01-15T11:00Z,1,1,1,1,,\n"
    noise = (
        "2026-01-15T10:00Z,1.1000000000000001,2,1,1,,\n2026-01-15T11:00Z,1,1,1,1,,\n"
    )

    assert 3 == BarFile("XAUUSD", CsvBars(write(HEADER + three))).digits
    assert 1 == BarFile("EURUSD", CsvBars(write(HEADER + noise))).digits


def test_symbols_are_merged_in_order_of_time(write: Any) -> None:
    """The feed of several files is one stream."""
    line = "2026-01-15T{}:00Z,1,1,1,1,,\n"
    first = write(HEADER + line.format("10") + line.format("12"), "a.csv")
    second = write(HEADER + line.format("11") + line.format("13"), "b.csv")
    # Two hours apart in each file.
    feed = open_bar_files({"EURUSD": first, "GBPUSD": second})

    assert ("EURUSD", "GBPUSD") == feed.symbols
    assert Timeframe.H2 is feed.timeframe
    assert {"EURUSD": 0, "GBPUSD": 0} == feed.digits
    assert [("EURUSD", 10), ("GBPUSD", 11), ("EURUSD", 12), ("GBPUSD", 13)] == [
        (bar.symbol, bar.opens_at.hour) for bar in feed.bars()
    ]


def test_files_of_one_feed_have_one_timeframe(write: Any) -> None:
    """The error names both files and what they hold."""
    hours = write(HEADER + GOOD, "hours.csv")
    line = "2026-01-15T10:0{}Z,1,1,1,1,,\n"
    minutes = write(HEADER + line.format(0) + line.format(1), "minutes.csv")

    with pytest.raises(FeedError, match=r"H1 in .*hours\.csv and M1 in .*minutes\.csv"):
        open_bar_files({"EURUSD": hours, "GBPUSD": minutes})


def test_feed_needs_files_and_each_symbol_once(write: Any) -> None:
    """No file and two files of one symbol are no feed."""
    path = write(HEADER + GOOD)
    file = BarFile("EURUSD", CsvBars(path))

    with pytest.raises(FeedError, match="at least one"):
        BarFiles([])
    with pytest.raises(FeedError, match="EURUSD: expected one file"):
        BarFiles([file, file])
    with pytest.raises(FeedError, match="EURUSD: expected one file"):
        TickFiles([TickFile("EURUSD", path), TickFile("EURUSD", path)])


TICKS = (
    "time,bid,ask\n2026-01-15T10:00:00.250Z,1.1,1.1001\n2026-01-15T10:00:01Z,1.2,1.2\n"
)


def test_ticks_are_read(write: Any) -> None:
    """Time to the millisecond, bid and ask."""
    path = write(TICKS)

    assert [
        Tick("EURUSD", at(10) + timedelta(milliseconds=250), 1.1, 1.1001),
        Tick("EURUSD", at(10) + timedelta(seconds=1), 1.2, 1.2),
    ] == list(TickFile("EURUSD", path).ticks())


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("2026-01-15T10:00:02Z,1.1", ":4: expected time,bid,ask"),
        ("2026-01-15T10:00:02Z,x,1", ":4: expected time,bid,ask"),
        ("2026-01-15T10:00:02Z,1.2,1.1", ":4: expected 0 < bid <= ask"),
        ("2026-01-15T10:00:02Z,1.2,nan", ":4: expected 0 < bid <= ask"),
        ("2026-01-15T10:00:00Z,1,1", ":4: expected a time not before"),
    ],
)
def test_bad_tick_is_one_clear_error(write: Any, line: str, message: str) -> None:
    """File, line, what was expected, what is there."""
    path = write(f"{TICKS}{line}\n")

    with pytest.raises(FeedError, match=message):
        list(TickFile("EURUSD", path).ticks())


# Specs


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("synthetic", SyntheticSpec()),
        ("synthetic:seed=42", SyntheticSpec(42)),
        ("csv:EURUSD=a.csv", FilesSpec({"EURUSD": Path("a.csv")})),
        (
            "csv:EURUSD=C:\\data\\a.csv,XAUUSD=D:\\b,c.csv",
            FilesSpec(
                {
                    "EURUSD": Path("C:\\data\\a.csv"),
                    "XAUUSD": Path("D:\\b,c.csv"),
                }
            ),
        ),
    ],
)
def test_spec_is_parsed(text: str, expected: object) -> None:
    """Colons of drives and commas of names are no separators."""
    assert expected == parse_spec(text)


@pytest.mark.parametrize(
    "text",
    ["", "csv", "csv:", "synthetic:seed=x", "synthetic:sead=1", "xml:A=b", "csv:a.csv"],
)
def test_wrong_spec_shows_the_syntax(text: str) -> None:
    """The error says what is expected and what was got."""
    with pytest.raises(FeedError, match=r"expected .*SYMBOL=FILE"):
        parse_spec(text)


def test_symbol_is_given_once() -> None:
    """Two files for one symbol are one too many."""
    with pytest.raises(FeedError, match="EURUSD: expected one file, got several"):
        parse_files(["EURUSD=a", "EURUSD=b"])


def test_spec_opens_what_it_names(write: Any) -> None:
    """Bars, ticks by their header, or a made market."""
    bars, ticks = write(HEADER + GOOD, "b.csv"), write(TICKS, "t.csv")

    assert isinstance(open_feed(parse_spec(f"csv:EURUSD={bars}")), BarFiles)
    assert isinstance(open_feed(parse_spec(f"csv:EURUSD={ticks}")), TickFiles)
    made = open_feed(parse_spec("synthetic:seed=3"), symbols=["EURUSD"], start=at(5))
    assert isinstance(made, SyntheticFeed)
    assert at(5) == next(made.bars()).opens_at
    with pytest.raises(FeedError, match="bars only or ticks only"):
        open_feed(parse_spec(f"csv:EURUSD={bars},GBPUSD={ticks}"))


# Parquet


needs_pyarrow = pytest.mark.skipif(
    importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not installed"
)


def write_parquet(path: Path, **columns: list[Any]) -> Path:
    """Write a parquet file of *columns*."""
    pyarrow: Any = importlib.import_module("pyarrow")
    parquet: Any = importlib.import_module("pyarrow.parquet")
    parquet.write_table(pyarrow.table(columns), path)
    return path


PRICES = {name: [1.25, 1.25] for name in ("open", "high", "low", "close")}


@needs_pyarrow
def test_parquet_holds_the_same_columns(tmp_path: Path) -> None:
    """Timestamps with or without a zone; missing figures are 0."""
    path = write_parquet(
        tmp_path / "bars.parquet",
        time=[at(10), at(11)],
        **PRICES,
        tick_volume=[5, None],
        spread=[None, 7],
    )

    feed = open_bar_files({"EURUSD": path})

    assert [
        Bar("EURUSD", Timeframe.H1, at(10), 1.25, 1.25, 1.25, 1.25, 5, 0),
        Bar("EURUSD", Timeframe.H1, at(11), 1.25, 1.25, 1.25, 1.25, 0, 7),
    ] == list(feed.bars())
    assert {"EURUSD": 2} == feed.digits


@needs_pyarrow
@pytest.mark.parametrize(
    "times",
    [
        [at(12).replace(tzinfo=None), at(13).replace(tzinfo=None)],
        ["2026-01-15 12:00", "2026-01-15T13:00"],
    ],
)
def test_parquet_times_without_a_zone_are_the_servers(
    tmp_path: Path, times: list[Any]
) -> None:
    """As in text files."""
    path = write_parquet(tmp_path / "bars.pq", time=times, **PRICES)

    feed = open_bar_files({"EURUSD": path}, NEW_YORK_CLOSE)

    assert [at(10), at(11)] == [bar.opens_at for bar in feed.bars()]


@needs_pyarrow
@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (PRICES, "got no time"),
        ({"time": [1, 2], **PRICES}, ":1: expected a bar"),
        (
            {"time": [at(1), at(2)], **PRICES, "close": [None, 1.0]},
            ":1: expected a bar",
        ),
        ({"time": [at(2), at(1)], **PRICES}, ":2: expected a time after"),
    ],
)
def test_bad_parquet_is_one_clear_error(
    tmp_path: Path, columns: dict[str, list[Any]], message: str
) -> None:
    """File, row, what was expected, what is there."""
    path = write_parquet(tmp_path / "bars.parquet", **columns)

    with pytest.raises(FeedError, match=message):
        open_bar_files({"EURUSD": path})


@needs_pyarrow
def test_file_that_is_no_parquet_is_refused(tmp_path: Path) -> None:
    """Its name promised one."""
    path = tmp_path / "bars.parquet"
    path.write_text(HEADER + GOOD)

    with pytest.raises(FeedError, match="cannot be read"):
        open_bar_files({"EURUSD": path})


def test_missing_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for only when there is a parquet file."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)

    with pytest.raises(
        FeedError, match=r"pip install 'mt5-strategy-runner\[parquet\]'"
    ):
        open_bar_files({"EURUSD": tmp_path / "bars.parquet"})
