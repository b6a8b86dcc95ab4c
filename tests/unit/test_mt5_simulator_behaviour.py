"""How many rules of the real module are pinned, and where each of them is from.

A test that pins a rule of the real MetaTrader5 module, version 5.0.6231, says so::

    @pytest.mark.behaviour("4", "D", "F")

The first argument is a section below, the others are the rule's sources. Tests
without the mark pin what is the simulator's own. ``pytest -s`` on this file prints
the number of rules by section and by source; `docs/simulator.md` says which rules
cannot hold here.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

SECTIONS: Final = {
    "1": "how functions are called: types, lengths, records",
    "2": "initialize, login, shutdown, switches",
    "3": "results and last_error",
    "4": "order_send: requests, answers, return codes",
    "5": "rules of a symbol: filling, volume, stops, money, groups",
    "6": "time: the server's clock, dates as arguments",
    "7": "bars and ticks",
    "8": "accounts: hedging, netting, margin, deals, swap",
    "9": "names of the module, and how orders are filled",
}
SOURCES: Final = {
    "W": "read in the real wheel",
    "T": "measured with extensions that are called alike",
    "D": "official documentation",
    "F": "field reports from live terminals",
    "I": "inference from W and D",
    "K": "general knowledge, not verified",
}
AT_LEAST: Final = 251
"""Rules that are pinned; raise it with the number, never lower it."""


@attrs.frozen
class Rule:
    """A test that pins a rule.

    Attributes:
        test: File and name.
        arguments: Of the mark: section and sources.
        sentence: What the test says it shows.
    """

    test: str
    arguments: tuple[str, ...]
    sentence: str


def marked(path: Path) -> Iterator[Rule]:
    """Yield the rules that the tests of one file pin."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef):
            for mark in node.decorator_list:
                if ast.unparse(mark).startswith("pytest.mark.behaviour"):
                    assert isinstance(mark, ast.Call), node.name
                    arguments = tuple(ast.literal_eval(each) for each in mark.args)
                    sentence = ast.get_docstring(node) or ""
                    yield Rule(f"{path.name}::{node.name}", arguments, sentence)


RULES: Final = [
    rule
    for path in sorted(Path(__file__).parent.glob("test_mt5_simulator_*.py"))
    for rule in marked(path)
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.test)
def test_rule_names_its_section_and_its_sources(rule: Rule) -> None:
    """One known section, at least one known source, a sentence that is the rule."""
    section, *sources = rule.arguments

    assert section in SECTIONS
    assert sources == sorted(set(sources), key=list(SOURCES).index)
    assert sources
    assert rule.sentence


def test_rules_are_counted() -> None:
    """Each is another test with another sentence, and no section is without one."""
    sections = Counter(rule.arguments[0] for rule in RULES)
    sources = Counter(source for rule in RULES for source in rule.arguments[1:])
    print(f"\n{len(RULES)} rules of the real module are pinned")  # noqa: T201
    for names, counted in ((SECTIONS, sections), (SOURCES, sources)):
        for key, meaning in names.items():
            print(f"  {key} {counted[key]:4}  {meaning}")  # noqa: T201

    assert set(SECTIONS) == set(sections)
    assert len(RULES) == len({rule.test for rule in RULES})
    assert len(RULES) == len({rule.sentence for rule in RULES})
    assert len(RULES) >= AT_LEAST
