"""What a command prints, on any terminal and to any reader."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

LIST = [sys.executable, "-m", "runner", "plugins"]


def test_letters_that_the_terminal_lacks_are_printed_escaped(tmp_path: Path) -> None:
    """A console of Windows has 256 of them."""
    folder = tmp_path / "bots\u2192"
    folder.mkdir()
    (folder / "broken.py").write_text("def oops(:", "utf-8")

    listed = subprocess.run(
        [*LIST, "--plugin-dir", str(folder)],
        env=os.environ | {"PYTHONIOENCODING": "cp1252"},
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert 3 == listed.returncode, listed.stderr
    assert b"bots\\u2192" in listed.stdout
    assert b"" == listed.stderr


@pytest.mark.skipif(os.name == "nt", reason="needs pipes of POSIX")
def test_a_reader_that_has_enough_is_no_error() -> None:
    """As in `runner plugins | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    try:
        listed = subprocess.run(
            LIST, stdout=writer, stderr=subprocess.PIPE, timeout=60, check=False
        )
    finally:
        os.close(writer)

    assert (0, b"") == (listed.returncode, listed.stderr)
