"""Opens text files as they come: plain or gzip, UTF-8 or what MetaTrader writes."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import zlib
from collections.abc import Generator
from pathlib import Path
from typing import IO, Final

from runner.ports import FeedError

_GZIP: Final = b"\x1f\x8b"
_UTF_16: Final = (b"\xff\xfe", b"\xfe\xff")


def csv_lines(path: Path) -> Generator[tuple[int, list[str]], None, None]:
    """Yield line number and fields of a file; tabs or commas, as its first line has.

    Args:
        path: A text file, gzipped or not.

    Raises:
        FeedError: If it cannot be read.
    """
    try:
        with _opened(path) as text:
            first = text.readline()
            header: list[str] = []
            yield 1, next(csv.reader([first], delimiter=_delimiter(first)), header)
            reader = csv.reader(text, delimiter=_delimiter(first))
            for fields in reader:
                if fields:
                    yield reader.line_num + 1, fields
    except (OSError, EOFError, UnicodeError, csv.Error, zlib.error) as error:
        raise FeedError(f"{path}: cannot be read: {error}") from error


def first_line(path: Path) -> list[str]:
    """Return the fields of a file's first line.

    Raises:
        FeedError: If it cannot be read.
    """
    lines = csv_lines(path)
    try:
        return next(lines)[1]
    finally:
        lines.close()


def _delimiter(line: str) -> str:
    return "\t" if "\t" in line else ","


@contextlib.contextmanager
def _opened(path: Path) -> Generator[IO[str], None, None]:
    with path.open("rb") as file:
        is_zipped = file.read(2) == _GZIP
    with gzip.open(path) if is_zipped else path.open("rb") as raw:
        encoding = "utf-16" if raw.read(2) in _UTF_16 else "utf-8-sig"
        raw.seek(0)
        with io.TextIOWrapper(raw, encoding=encoding, newline="") as text:
            yield text
