"""What a command prints, on any terminal and to any reader."""

from __future__ import annotations

import os
import socket
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


def test_a_port_that_is_taken_is_one_line_and_code_2(tmp_path: Path) -> None:
    """The paper terminal says what to do about it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = str(listener.getsockname()[1])
        words = ["terminal", "--account", "1", "--port", port]
        ended = subprocess.run(
            [*LIST[:-1], *words, "--state-dir", str(tmp_path)],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    assert 2 == ended.returncode
    assert f"runner terminal: --port {port}: " in ended.stderr
    assert ended.stderr.endswith("name another one, or none for any\n")
    assert 1 == ended.stderr.count("\n")
