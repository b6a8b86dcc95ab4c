"""The documentation says what the code says."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RECORDS = sorted(DOCS.glob("adr/0*.md"))
EXAMPLES = sorted(DOCS.glob("examples/*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("**/*.md"))]

_BLOCK = re.compile(r"(?ms)^```(?P<language>\w+)\n(?P<text>.*?)^```$")
_LINK = re.compile(r"\]\((?!https?:|#|mailto:)(?P<target>[^)#\s]+)")


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def _blocks(page: Path, language: str) -> list[str]:
    return [
        block["text"]
        for block in _BLOCK.finditer(page.read_text(encoding="utf-8"))
        if block["language"] == language
    ]


@pytest.mark.parametrize("record", RECORDS, ids=_name)
def test_each_decision_has_its_four_sections(record: Path) -> None:
    """A record has a number, a status, a context, a decision and consequences."""
    text = record.read_text(encoding="utf-8")

    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)

    assert ["Status", "Context", "Decision", "Consequences"] == headings
    assert text.startswith(f"# {int(record.name[:4])}. ")


def test_decisions_are_numbered_without_a_gap() -> None:
    """No record is lost, and no number is used twice."""
    assert list(range(1, len(RECORDS) + 1)) == [int(path.name[:4]) for path in RECORDS]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    """Every relative link of a page names a file of this repository."""
    targets = [link["target"] for link in _LINK.finditer(page.read_text("utf-8"))]

    assert [] == [name for name in targets if not (page.parent / name).exists()]


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_json_in_the_documentation_is_json(page: Path) -> None:
    """Every JSON block of a page can be parsed."""
    for text in _blocks(page, "json"):
        json.loads(text)


@pytest.mark.parametrize("example", EXAMPLES, ids=_name)
def test_each_example_file_loads(example: Path) -> None:
    """An example is a module that imports without an error, and says what it shows."""
    spec = importlib.util.spec_from_file_location(f"example_{example.stem}", example)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)

    spec.loader.exec_module(module)

    assert module.__doc__


def test_the_readme_shows_the_smallest_strategy_as_it_is() -> None:
    """The README's strategy is the file that it links to, without the file's head."""
    file = (DOCS / "examples" / "breakout.py").read_text(encoding="utf-8")

    [shown] = _blocks(ROOT / "README.md", "python")

    assert file.partition("annotations\n\n")[2] == shown
