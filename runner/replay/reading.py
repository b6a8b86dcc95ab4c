"""Finds the run that is meant, and reads its lines as far as they go."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import attrs

from runner.recorder.segments import (
    FORMAT,
    SUFFIX,
    number_of,
    runs_of,
    segments_of,
)

_GZIP = 16 + zlib.MAX_WBITS
_CHUNK = 1 << 20


class JournalError(Exception):
    """A journal that cannot be replayed; the message says why, and what to do."""


@attrs.frozen(kw_only=True)
class Run:
    """One recorded run.

    Attributes:
        folder: Where it lies.
        segments: Its files, oldest first.
        header: What it says of itself.
    """

    folder: Path
    segments: Sequence[Path]
    header: Mapping[str, Any]


@attrs.frozen
class Line:
    """One line of a run.

    Attributes:
        number: From 1, over all segments, headers not counted.
        segment: The file's name.
        text: Without the line's end.
    """

    number: int
    segment: str
    text: str

    def __str__(self) -> str:
        """Return where it stands."""
        return f"entry {self.number} ({self.segment})"


def find_run(path: Path) -> Run:
    """Return the run that *path* means.

    Args:
        path: A segment, a run's folder, an account's folder or the journal's: of the
            last two the newest run.

    Raises:
        JournalError: If there is none, or its beginning is gone.
    """
    folder = _folder_of(path)
    segments = segments_of(folder)
    try:
        numbers = [number_of(segment) for segment in segments]
    except ValueError as error:
        raise JournalError(f"{folder}: a file that is no segment: {error}") from None
    if numbers[0] != 1:
        raise JournalError(
            f"{folder}: begins with segment {numbers[0]}, the ones before it were "
            "dropped (journal_mb). A replay begins at a start of the runner, so this "
            "run can only be read: gzip -dc FILE; raise journal_mb, or restart the "
            "runner now and then"
        )
    missing = sorted(set(range(1, numbers[-1] + 1)) - set(numbers))
    if missing:
        raise JournalError(f"{folder}: segment {missing[0]} is missing")
    return Run(folder=folder, segments=segments, header=_header(segments[0]))


def _folder_of(path: Path) -> Path:
    if not path.exists():
        raise JournalError(f"{path}: no such file or folder")
    if path.is_file():
        if not path.name.endswith(SUFFIX):
            raise JournalError(f"{path}: expected a segment, NAME{SUFFIX}")
        return path.parent
    if segments_of(path):
        return path
    runs = runs_of(path)
    if runs:
        return runs[-1]
    accounts = [one for one in sorted(path.iterdir()) if one.is_dir() and runs_of(one)]
    if len(accounts) > 1:
        names = ", ".join(one.name for one in accounts)
        raise JournalError(f"{path}: name one account's folder in it: {names}")
    if not accounts:
        raise JournalError(f"{path}: there is no journal in it")
    return runs_of(accounts[0])[-1]


def _header(segment: Path) -> Mapping[str, Any]:
    first = next(_texts(segment), "")
    try:
        word, place, header = json.loads(first)
        known = word == "run" and place["segment"] == 1
        version = place["format"]
    except (ValueError, TypeError, KeyError):
        raise JournalError(f"{segment}: does not begin as a journal does") from None
    if version != FORMAT:
        raise JournalError(
            f"{segment}: has format {version}, this runner reads {FORMAT}: replay it "
            "with the version that wrote it"
        )
    if not known or not isinstance(header, dict):
        raise JournalError(f"{segment}: does not begin as a journal does")
    return cast("Mapping[str, Any]", header)


def read_lines(run: Run) -> Iterator[Line]:
    """Yield the lines of a run, headers left out, as far as they are whole.

    Raises:
        JournalError: If a segment breaks off that is not the last one, or is damaged.
    """
    number = 0
    for segment in run.segments:
        for index, text in enumerate(_texts(segment, segment is run.segments[-1])):
            if index == 0:
                continue
            number += 1
            yield Line(number, segment.name, text)


def _texts(segment: Path, may_break_off: bool = True) -> Iterator[str]:
    """Yield the whole lines of a segment; a torn last one is left out."""
    unpacker = zlib.decompressobj(_GZIP)
    rest = b""
    try:
        with segment.open("rb") as file:
            while packed := file.read(_CHUNK):
                lines = (rest + unpacker.decompress(packed)).split(b"\n")
                rest = lines.pop()
                for line in lines:
                    yield line.decode()
    except (OSError, zlib.error, UnicodeDecodeError) as error:
        raise JournalError(f"{segment}: cannot be read: {error}") from None
    if not unpacker.eof and not may_break_off:
        raise JournalError(f"{segment}: breaks off, and a further segment follows")
