"""Runs the examples of the documentation: `pytest docs README.md runner`."""

from __future__ import annotations

from sybil import Sybil
from sybil.parsers import myst, rest

# The seed's blocks are the protocol's original text: pseudocode, kept to the letter.
pages = Sybil(
    parsers=[myst.PythonCodeBlockParser(), myst.SkipParser()],
    patterns=["docs/*.md", "README.md"],
    excludes=["docs/seed.md"],
)
docstrings = Sybil(
    parsers=[rest.PythonCodeBlockParser(), rest.DocTestParser(), rest.SkipParser()],
    path="runner",
    patterns=["*.py"],
)

pytest_collect_file = (pages + docstrings).pytest()
