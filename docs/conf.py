"""Sphinx configuration; built by `tox -e docs` with warnings as errors."""

from __future__ import annotations

import contextlib
import io
import os

import runner
from runner.cli import COMMANDS, build_parser

project = "mt5runner"
author = "The mt5runner authors"
project_copyright = f"2026, {author}"
release = version = runner.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {release}"

myst_enable_extensions = ["colon_fence", "deflist", "substitution"]
myst_heading_anchors = 4

napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False
default_role = "code"

nitpicky = True
# The build needs no network, so other projects' names are not looked up.
nitpick_ignore_regex = [
    (r"py:.*", rf"({names})(\..*)?")
    for names in (
        "abc|attrs?|builtins|collections|datetime|decimal|enum|logging|pathlib|typing|zoneinfo",
        "np|npt|numpy|pandas|pd|redis|requests",
        "Decimal|None|bool|bytes|dict|float|int|list|object|set|str|tuple|type",
        "Any|Callable|Collection|Iterable|Iterator|Mapping|Path|Sequence|time|timedelta",
        "[A-Z][A-Za-z]*Error",
    )
]

# What `runner` exports is documented under the name by which authors import it.
for name in runner.__all__:
    if getattr(getattr(runner, name), "__module__", "").startswith("runner."):
        getattr(runner, name).__module__ = "runner"


def _help(*words: str) -> str:
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
        build_parser().parse_args([*words, "--help"])
    return printed.getvalue()


os.environ |= {"COLUMNS": "80", "NO_COLOR": "1"}
myst_substitutions = {
    "commands": "\n\n".join(
        f"## runner {name}\n\n```text\n{_help(name)}```" for name in COMMANDS
    )
}
