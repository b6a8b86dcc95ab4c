"""The user's folders, each mounted as a private package.

`sys.path` is untouched, so a file called ``json.py`` harms nobody; files import each
other relatively, and their classes can be pickled and structured like any other.
"""

from __future__ import annotations

import importlib
import sys
import types
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec
from pathlib import Path

PREFIX = "_mt5runner_user_"


def mount(folder: Path) -> str:
    """Make *folder* a package, without running an ``__init__.py`` of its own.

    Args:
        folder: An absolute path; the same one is mounted once in a process.

    Returns:
        The package's private name, ``_mt5runner_user_N``.
    """
    number = 0
    while (present := sys.modules.get(f"{PREFIX}{number}")) is not None:
        if list(present.__path__) == [str(folder)]:
            return present.__name__
        number += 1
    name = f"{PREFIX}{number}"
    spec = ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = [str(folder)]
    sys.modules[name] = module_from_spec(spec)
    return name


def files(folder: Path) -> list[Path]:
    """List what a plugin folder offers: its files and packages, sorted by name.

    Args:
        folder: The plugin folder.

    Returns:
        ``.py`` files and folders with an ``__init__.py``; names that start with ``_``
        or ``.`` are the author's own business.

    Raises:
        OSError: If the folder cannot be read.
    """
    return sorted(
        entry
        for entry in folder.iterdir()
        if not entry.name.startswith(("_", "."))
        and (
            (entry.suffix == ".py" and entry.is_file())
            or (entry / "__init__.py").is_file()
        )
    )


def load(package: str, file: Path) -> types.ModuleType:
    """Import one file or sub-package of a mounted folder.

    Args:
        package: What `mount` returned.
        file: One of `files`.

    Returns:
        The module; what its code raises goes through.
    """
    importlib.invalidate_caches()  # the file may be newer than the folder's listing
    return importlib.import_module(f"{package}.{file.stem}")
