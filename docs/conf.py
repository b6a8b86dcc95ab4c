"""Sphinx configuration; built by `tox -e docs-build` with warnings as errors."""

from __future__ import annotations

import importlib.metadata

import runner

project = "mt5runner"
author = "The mt5runner authors"
project_copyright = f"2026, {author}"
release = version = importlib.metadata.version("mt5-strategy-runner")

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {release}"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False
default_role = "code"

suppress_warnings = ["toc.empty_glob"]
nitpicky = True
# There is no inventory of other projects to look these up in: the build needs no network.
nitpick_ignore_regex = [
    (
        r"py:.*",
        r"(attrs?|collections|datetime|enum|logging|numpy|np|npt|pandas|pd)\..*",
    ),
    (r"py:.*", r"(abc|builtins|pathlib|redis|typing|types)\..*"),
    (r"py:.*", r"(bool|bytes|dict|float|int|list|object|set|str|tuple|type|None)"),
    (
        r"py:.*",
        r"(Any|Callable|Iterable|Iterator|Mapping|Path|Sequence|datetime|timedelta)",
    ),
    (r"py:exc", r"[A-Z]\w*Error"),
]

# What `runner` exports is documented under the name by which authors import it.
for name in runner.__all__:
    if getattr(getattr(runner, name), "__module__", "").startswith("runner."):
        getattr(runner, name).__module__ = "runner"
