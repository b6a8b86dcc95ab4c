"""The journal's files: one folder a run, split into segments, bounded in size.

::

    JOURNAL/ACCOUNT/RUN/00001.jsonl.gz

A run is one start of the runner; its name is the time of that start. Each segment is a
gzip file of JSON lines that begins with the run's header. What was flushed can be read
however the process ended, the rest of a segment is missing then.
"""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from io import RawIOBase
from pathlib import Path

from runner.serde.journal import write_line

log = logging.getLogger("mt5runner.recorder")

FORMAT = 1
"""Of the lines; a reader refuses another one."""

SUFFIX = ".jsonl.gz"
MEGABYTE = 1024 * 1024

_GZIP = 16 + zlib.MAX_WBITS
_LEVEL = 6
_SEGMENTS = 16  # into which the bound is divided
_LEAST = 64 * 1024  # bytes that a segment counts as, so that the runs are bounded too


def run_name(started_at: datetime) -> str:
    """Return the folder's name of a run; names sort by time.

    Args:
        started_at: UTC-aware.
    """
    return f"{started_at:%Y-%m-%dT%H%M%S.%fZ}"


def runs_of(folder: Path) -> Sequence[Path]:
    """Return the runs of an account's folder, oldest first."""
    if not folder.is_dir():
        return ()
    return sorted(run for run in folder.iterdir() if run.is_dir() and segments_of(run))


def segments_of(run: Path) -> Sequence[Path]:
    """Return the segments of a run that are left, oldest first."""
    return sorted(run.glob(f"*{SUFFIX}"))


def number_of(segment: Path) -> int:
    """Return which segment of its run it is, from 1.

    Raises:
        ValueError: If the name is not one of a segment.
    """
    return int(segment.name.removesuffix(SUFFIX))


class Segments:
    """Writes one run, and drops what is oldest when the account's folder is full.

    Whole runs go first. Only when this run alone is beyond the bound do its own first
    segments go: what is left tells what happened, and cannot be replayed.

    Args:
        folder: The account's folder; it is made when the first lines come.
        started_at: Of this run, UTC-aware.
        limit: Most bytes of the account's folder, about.

    Attributes:
        run: The run's folder.
        header: JSON text that every segment begins with.
    """

    def __init__(self, folder: Path, *, started_at: datetime, limit: int) -> None:
        self._folder = folder
        self.run = folder / run_name(started_at)
        self.header = "{}"
        self._limit = limit
        self._file: RawIOBase | None = None
        self._packer = zlib.compressobj()
        self._number = 0
        self._size = 0
        self._is_whole = True

    def write(self, lines: Iterable[str]) -> bool:
        """Write lines so that they survive the end of this process.

        Returns:
            Whether a new segment has to be begun: the next lines go there.

        Raises:
            OSError: If they cannot be written; some of them may have been.
        """
        if self._file is None:
            self._begin()
        text = "".join(f"{line}\n" for line in lines)
        packed = self._packer.compress(text.encode())
        self._put(packed + self._packer.flush(zlib.Z_SYNC_FLUSH))
        if self._size < self._limit // _SEGMENTS:
            return False
        self.close()
        return True

    def close(self) -> None:
        """End the segment.

        Raises:
            OSError: If its end cannot be written.
        """
        if self._file is None:
            return
        try:
            self._put(self._packer.flush(zlib.Z_FINISH))
        finally:
            self._file.close()
            self._file = None

    def _put(self, content: bytes) -> None:
        rest = memoryview(content)
        while rest and self._file is not None:
            written = self._file.write(rest) or 0
            self._size += written
            rest = rest[written:]

    def _begin(self) -> None:
        self._drop_oldest()
        self._number += 1
        self.run.mkdir(parents=True, exist_ok=True)
        file = self.run / f"{self._number:05d}{SUFFIX}"
        self._file = file.open("xb", buffering=0)
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._size = 0
        place = write_line({"format": FORMAT, "segment": self._number})
        line = f'["run",{place},{self.header}]\n'
        self._put(self._packer.compress(line.encode()))

    def _drop_oldest(self) -> None:
        kept = [
            (segment, max(_LEAST, segment.stat().st_size))
            for run in runs_of(self._folder)
            for segment in segments_of(run)
        ]
        room = self._limit - self._limit // _SEGMENTS
        total = sum(size for _, size in kept)
        dropped: set[Path] = set()
        for segment, size in kept:
            # A run that lost its beginning cannot be replayed: the rest goes too.
            is_rest = segment.parent in dropped and segment.parent != self.run
            if total <= room and not is_rest:
                break
            dropped.add(segment.parent)
            try:
                self._drop(segment)
            except OSError as error:
                # On Windows a file cannot be removed while another program reads it.
                log.warning("%s is kept until the next segment: %s", segment, error)
            else:
                total -= size

    def _drop(self, segment: Path) -> None:
        if segment.parent == self.run and self._is_whole:
            self._is_whole = False
            log.warning(
                "the journal of this run alone is beyond journal_mb: its beginning is "
                "dropped, so that it can be read and not replayed; a restart of the "
                "runner begins a new one"
            )
        segment.unlink(missing_ok=True)
        if segment.parent != self.run and not any(segment.parent.iterdir()):
            segment.parent.rmdir()
