"""The documentation says what the code says."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from plugins.news_pause.settings import NewsPauseSettings
from runner.account_settings import load_each
from runner.cli import COMMANDS, main
from runner.exit_codes import ExitCode
from runner.host import hookspecs
from runner.host.markers import PROJECT_NAME
from runner.serde import structure_settings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
RECORDS = sorted(DOCS.glob("adr/0*.md"))
EXAMPLES = sorted(DOCS.glob("examples/*.py"))
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(DOCS.glob("**/*.md"))]
HOOKS = [
    function
    for function in vars(hookspecs).values()
    if hasattr(function, f"{PROJECT_NAME}_spec")
]

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


def test_the_runner_takes_every_example(capsys: pytest.CaptureFixture[str]) -> None:
    """Given as a plugin directory, the examples load without a complaint."""
    code = main(["plugins", "--plugin-dir", str(EXAMPLES[0].parent), "--json"])

    listed = capsys.readouterr().out

    assert ExitCode.DONE == code
    assert [] == [path.stem for path in EXAMPLES if path.name not in listed]


def test_the_readme_shows_the_smallest_strategy_as_it_is() -> None:
    """The README's strategy is the file that it links to, without the file's head."""
    file = (DOCS / "examples" / "breakout.py").read_text(encoding="utf-8")

    [shown] = _blocks(ROOT / "README.md", "python")

    assert file.partition("annotations\n\n")[2] == shown


def test_each_settings_file_of_the_documentation_can_be_used(tmp_path: Path) -> None:
    """With its sections, and with what it says to plugins."""
    accounts: list[str] = []
    for number, text in enumerate(_blocks(DOCS / "cli.md", "toml")):
        file = tmp_path / f"{number}.toml"
        file.write_text(text)
        for settings in load_each({}, {}, str(file)):
            accounts += settings.accounts
            values = settings.plugins["news_pause"]
            assert structure_settings(values, NewsPauseSettings, "").calendar

    assert ["123456", "123456", "234567"] == accounts


def _codes(source: Path) -> Iterator[str]:
    """The reason codes that *source* writes out where it denies or pauses."""
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in {"Deny", "PauseReason"}:
            values = [*node.args[:2], *(keyword.value for keyword in node.keywords)]
            for value in values:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    yield from re.findall(r"^[A-Z][A-Z_]+$", value.value)


def test_each_reason_code_is_explained() -> None:
    """Whoever reads a code in a log or a heartbeat finds it in the documentation."""
    pages = "".join(page.read_text("utf-8") for page in DOCS.glob("*.md"))
    sources = [*ROOT.glob("runner/**/*.py"), *ROOT.glob("plugins/**/*.py")]

    codes = {code for source in sources for code in _codes(source)}

    assert {"NO_CONFIG", "NEWS_WINDOW"} <= codes
    assert [] == sorted(code for code in codes if f"`{code}`" not in pages)


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook.__name__))
def test_each_hook_says_all_that_an_author_needs(hook: Callable[..., Any]) -> None:
    """A specification tells when it is called, what follows an error, who has it."""
    text = inspect.getdoc(hook) or ""
    returns_nothing = inspect.signature(hook).return_annotation == "None"

    sections = ["*Called*", "*If it raises*", "*Built-in*", "Example:", "versionadded"]
    if not returns_nothing:
        sections.append("Returns:")

    assert [] == [name for name in sections if name not in text]


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: str(hook.__name__))
def test_each_hook_explains_exactly_its_arguments(hook: Callable[..., Any]) -> None:
    """The arguments explained are those of the signature, in its order."""
    text = inspect.getdoc(hook) or ""
    _, _, after = text.partition("Args:\n")
    section = after.partition("\n\n")[0]

    explained = re.findall(r"^    (\w+): ", section, re.MULTILINE)

    assert list(inspect.signature(hook).parameters) == explained


def test_every_hook_is_in_the_reference() -> None:
    """A page generates the reference of the hooks from their specifications."""
    pages = [page.read_text("utf-8") for page in DOCS.glob("*.md")]

    assert any("automodule:: runner.host.hookspecs" in page for page in pages)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_in_the_readme_or_a_page(command: str) -> None:
    """Every command of the command line appears in prose, not only in its help."""
    pages = [page.read_text("utf-8") for page in PAGES]

    assert any(f"runner {command}" in page for page in pages)
