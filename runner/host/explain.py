"""Says what went wrong when an author's code was imported: file, line and remedy."""

from __future__ import annotations

from pathlib import Path

from runner.host.containment import Raised
from runner.host.records import LoadFailure, Source
from runner.host.user_files import PREFIX


def explain(
    raised: Raised,
    name: str,
    source: Source,
    *,
    folder: Path | None = None,
    fatal: bool = False,
) -> LoadFailure:
    """Make a failure of what was raised.

    Args:
        raised: What an author's module raised.
        name: The file's stem, the plugin's or the entry point's name.
        source: Where it came from.
        folder: Where the author's files are; None if unknown.
        fatal: Whether the runner must not start with it.

    Returns:
        The failure, with the author's file and line that are nearest to the error.
    """
    file, line = _place(raised, folder)
    return LoadFailure(
        name=name,
        source=source,
        message=str(raised),
        remedy=_remedy(raised.error, folder, has_place=bool(file)),
        file=file,
        line=line,
        trace=tuple(
            f"{frame.filename}:{frame.lineno}: {frame.line}"
            for frame in raised.frames()
        ),
        fatal=fatal,
    )


def _place(raised: Raised, folder: Path | None) -> tuple[str, int | None]:
    error = raised.error
    if isinstance(error, SyntaxError) and not (error.filename or "<").startswith("<"):
        return error.filename or "", error.lineno
    frames = raised.frames()
    own = [
        f for f in frames if folder is None or Path(f.filename).is_relative_to(folder)
    ]
    return (own[-1].filename, own[-1].lineno) if own else ("", None)


def _remedy(error: BaseException, folder: Path | None, *, has_place: bool) -> str:
    match error:
        case SyntaxError():
            return "correct that line"
        case ModuleNotFoundError(name=str(name)):
            if name.startswith(PREFIX):
                return f"there is no such file in {folder}: correct the import"
            top = name.partition(".")[0]
            if folder and ((folder / f"{top}.py").exists() or (folder / top).is_dir()):
                return f"import files of this folder relatively: from . import {top}"
            return f"install {top} into the environment of mt5runner, or correct it"
        case ImportError():
            return "correct the import"
        case SystemExit():
            return "remove the call that ends the program: the file is only imported"
        case _ if not has_place:
            return "correct the entry point, or install the distribution anew"
        case _:
            return "correct that line: it runs when mt5runner starts"
