"""Let tox find every Python that pyenv holds; only the active ones are on the path."""

from __future__ import annotations

import os
from pathlib import Path

PYENV = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))

os.environ["PATH"] = os.pathsep.join(
    [
        os.environ.get("PATH", os.defpath),
        *map(str, sorted(PYENV.glob("versions/3.*/bin"))),
    ]
)
