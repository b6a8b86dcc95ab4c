"""Bars from a parquet file; pyarrow is needed only when there is one."""

from __future__ import annotations

import importlib
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from runner.adapters.feeds.csv_bars import HEADER
from runner.adapters.feeds.rows import SAMPLE, Row, decimals_of, fault, time_reader
from runner.core.server_time import ServerZone
from runner.ports import FeedError

_REQUIRED: Final = 5


class ParquetBars:
    """A parquet file of bars, with the columns of :class:`CsvBars`' header.

    Args:
        path: The file.
        zone: The wall clock of times without an offset; None stands for UTC.
    """

    def __init__(self, path: Path, zone: ServerZone | None = None) -> None:
        self.path = path
        self._zone = zone

    def rows(self) -> Iterator[tuple[int, Row]]:
        """Yield row number and values, from the beginning.

        Raises:
            FeedError: If the file cannot be read, or a row is no bar.
        """
        try:
            # Any: it has no type stubs.
            pa: Any = importlib.import_module("pyarrow")
            pq: Any = importlib.import_module("pyarrow.parquet")
        except ImportError as error:
            raise FeedError(
                f"{self.path}: parquet files need pyarrow: "
                f"pip install 'mt5-strategy-runner[parquet]'"
            ) from error
        number = 0
        try:
            with pq.ParquetFile(self.path) as file:
                names = [name for name in HEADER if name in file.schema_arrow.names]
                missing = [name for name in HEADER[:_REQUIRED] if name not in names]
                if missing:
                    raise FeedError(
                        f"{self.path}: expected columns {', '.join(HEADER)}; "
                        f"got no {', '.join(missing)}"
                    )
                for batch in file.iter_batches(columns=names):
                    for row in batch.to_pylist():
                        number += 1
                        yield number, self._row(number, row)
        except (OSError, pa.ArrowException) as error:
            raise FeedError(f"{self.path}: cannot be read: {error}") from error

    def digits(self) -> int:
        """Return the decimals of the first prices."""
        sample = itertools.islice(self.rows(), SAMPLE)
        return max((decimals_of(repr(row[1])) for _, row in sample), default=0)

    def _row(self, number: int, row: dict[str, Any]) -> Row:
        try:
            time, *prices = (row[name] for name in HEADER[:_REQUIRED])
            volume, spread = (row.get(name) or 0 for name in HEADER[_REQUIRED:])
            o, h, low, c = (float(price) for price in prices)
            return self._time(time), o, h, low, c, int(volume), int(spread)
        except (TypeError, ValueError, OverflowError) as error:
            expected = f"a bar of {', '.join(HEADER)}"
            raise fault(self.path, number, expected, f"{row} ({error})") from None

    def _time(self, time: object) -> datetime:
        if isinstance(time, datetime):
            if time.tzinfo is not None:
                return time.astimezone(UTC)
            time = time.isoformat()
        if not isinstance(time, str):
            raise TypeError("time must be a timestamp or ISO 8601 text")
        return time_reader(self._zone)(time)
