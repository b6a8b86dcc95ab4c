"""Reads ``--feed SPEC`` and ``--data SYMBOL=FILE``, and opens what they name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

import attrs

from runner.adapters.feeds.csv_bars import CsvBars
from runner.adapters.feeds.csv_ticks import TickFile, has_ticks
from runner.adapters.feeds.merge import BarFiles, TickFiles
from runner.adapters.feeds.parquet_bars import ParquetBars
from runner.adapters.feeds.rows import BarFile
from runner.adapters.feeds.synthetic import EPOCH, SyntheticFeed
from runner.core.server_time import ServerZone
from runner.ports import Feed, FeedError, TickFeed

SYNTAX: Final = "synthetic[:seed=N] or csv:SYMBOL=FILE[,SYMBOL=FILE]"
_NEXT_SYMBOL: Final = re.compile(r",(?=[^,=]+=)")
_PARQUET: Final = (".parquet", ".pq")


@attrs.frozen
class SyntheticSpec:
    """``synthetic[:seed=N]``."""

    seed: int = 1


@attrs.frozen
class FilesSpec:
    """``csv:SYMBOL=FILE[,SYMBOL=FILE]``: symbol to file."""

    files: Mapping[str, Path]


def parse_spec(text: str) -> SyntheticSpec | FilesSpec:
    """Read a ``--feed`` value.

    Args:
        text: As in `SYNTAX`; a Windows path may have its drive's colon.

    Raises:
        FeedError: If it does not read so.
    """
    kind, _, rest = text.partition(":")
    if kind == "synthetic":
        if not rest:
            return SyntheticSpec()
        match = re.fullmatch(r"seed=(\d+)", rest)
        if match:
            return SyntheticSpec(int(match[1]))
    elif kind == "csv" and rest:
        return FilesSpec(parse_files(_NEXT_SYMBOL.split(rest)))
    raise FeedError(f"feed: expected {SYNTAX}, got {text!r}")


def parse_files(values: Iterable[str]) -> dict[str, Path]:
    """Read ``SYMBOL=FILE`` values.

    Raises:
        FeedError: If one does not read so, or a symbol comes twice.
    """
    files: dict[str, Path] = {}
    for value in values:
        symbol, equals, path = value.partition("=")
        symbol = symbol.strip()
        if not (equals and symbol and path):
            raise FeedError(f"feed: expected SYMBOL=FILE, got {value!r}")
        if symbol in files:
            raise FeedError(f"symbol {symbol}: expected one file, got several")
        files[symbol] = Path(path)
    return files


def open_feed(
    spec: SyntheticSpec | FilesSpec,
    *,
    zone: ServerZone | None = None,
    symbols: Iterable[str] | None = None,
    start: datetime = EPOCH,
) -> Feed | TickFeed:
    """Return the feed that *spec* names.

    Args:
        spec: What `parse_spec` returned.
        zone: Wall clock of the files' times without an offset; None stands for UTC.
        symbols: Which symbols a synthetic market makes; None for all that it can.
        start: When a synthetic market begins, UTC-aware.

    Raises:
        FeedError: If a file cannot be read, or files do not fit together.
    """
    if isinstance(spec, SyntheticSpec):
        return SyntheticFeed(symbols, seed=spec.seed, start=start)
    ticks = [path for path in spec.files.values() if _is_tick_file(path)]
    if not ticks:
        return open_bar_files(spec.files, zone)
    if len(ticks) < len(spec.files):
        raise FeedError(
            f"feed: expected bars only or ticks only, got ticks in {ticks[0]}"
        )
    return TickFiles([TickFile(name, path, zone) for name, path in spec.files.items()])


def open_bar_files(
    files: Mapping[str, Path], zone: ServerZone | None = None
) -> BarFiles:
    """Return the bars of *files*, by symbol: csv, csv.gz, parquet, MetaTrader exports.

    Args:
        files: Symbol to file.
        zone: Wall clock of times without an offset; None stands for UTC.

    Raises:
        FeedError: If a file cannot be read, or files do not fit together.
    """
    return BarFiles(
        [
            BarFile(
                symbol,
                ParquetBars(path, zone) if _is_parquet(path) else CsvBars(path, zone),
            )
            for symbol, path in files.items()
        ]
    )


def _is_parquet(path: Path) -> bool:
    return path.suffix.lower() in _PARQUET


def _is_tick_file(path: Path) -> bool:
    return not _is_parquet(path) and has_ticks(path)
