"""Every setting, denial and parameter of the built-ins is documented as it is."""

from __future__ import annotations

import enum
import inspect
import re
import tomllib
from collections.abc import Mapping
from importlib.metadata import EntryPoints
from pathlib import Path
from typing import Any

import attrs
import pytest

from plugins.cooldown import Cooldown
from plugins.drawdown.guard import Drawdown
from plugins.drawdown.rules import PRESETS, Rules
from plugins.equity_target import EquityTarget
from plugins.heartbeat import Heartbeat
from plugins.limits import Limits
from plugins.news_pause.guard import NewsPause
from plugins.sizing import Sizing
from plugins.slippage import Slippage
from plugins.spread import Spread
from plugins.trading_hours import TradingHours
from runner import Plugin, Strategy
from runner.host.discovery import ESSENTIAL_PLUGINS, discover
from runner.serde import structure_settings
from strategies.hooks import register_strategies

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "builtin-plugins.md").read_text(encoding="utf-8")
STRATEGIES_PAGE = (ROOT / "docs" / "strategies.md").read_text(encoding="utf-8")
PLUGINS: Mapping[str, type[Plugin]] = {
    "heartbeat": Heartbeat,
    "drawdown": Drawdown,
    "news_pause": NewsPause,
    "sizing": Sizing,
    "limits": Limits,
    "trading_hours": TradingHours,
    "spread": Spread,
    "slippage": Slippage,
    "cooldown": Cooldown,
    "equity_target": EquityTarget,
}

_ROW = re.compile(r"^\| `(?P<name>\w+)` \| (?P<rest>.+) \|$", re.MULTILINE)
_CODE = re.compile(r"\b(?:Deny\(\s*|code=)\"([A-Z_]+)\"")


def section(page: str, title: str) -> str:
    """Return the text under a heading, up to the next of its level or above."""
    level, _, after = re.split(
        rf"^(#+) ({re.escape(title)})$", page, maxsplit=1, flags=re.MULTILINE
    )[1:]
    return re.split(rf"^#{{1,{len(level)}}} ", after, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> dict[str, list[str]]:
    """Return the first cell of each table row, to the other cells."""
    return {row["name"]: row["rest"].split(" | ") for row in _ROW.finditer(text)}


def shown(value: Any) -> str:
    """Return how the tables show a default."""
    if isinstance(value, enum.Enum):
        value = value.value
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, Mapping):
        inside = ", ".join(f"{k} = [{b:g}, {a:g}]" for k, (b, a) in value.items())
        return f"`{{ {inside} }}`" if inside else "`{}`"
    if isinstance(value, tuple):
        return f"`{list(value)}`"
    return "none" if value is None else str(value)


def test_every_built_in_plugin_has_its_section() -> None:
    """The page follows the code, also in which of them cannot be disabled."""
    built_in = {
        name
        for name, record in discover(installed=EntryPoints()).plugins.items()
        if isinstance(record.obj, type)
    }

    assert set(PLUGINS) == built_in
    assert {"heartbeat", "drawdown", "sizing"} == set(ESSENTIAL_PLUGINS)
    for name in PLUGINS:
        assert section(PAGE, name)


@pytest.mark.parametrize("name", PLUGINS)
def test_every_setting_stands_in_its_table_with_its_default(name: str) -> None:
    """A default of the drawdown guard is what follows when nothing is chosen."""
    settings = PLUGINS[name].Settings()
    given = getattr(settings, "rules", settings)
    in_force: object = Rules() if name == "drawdown" else given

    expected = {
        field.name: shown(
            "default"
            if (name, field.name) == ("drawdown", "preset")
            else getattr(in_force, field.name, getattr(settings, field.name))
        )
        for field in attrs.fields(type(settings))
    }

    documented = {
        setting: cells[0] for setting, cells in rows(section(PAGE, name)).items()
    }
    assert expected == documented


def test_every_choice_of_the_drawdown_guard_is_named() -> None:
    """Presets and the words of each setting."""
    text = section(PAGE, "drawdown")
    words = [
        *PRESETS,
        *(
            choice.value
            for field in attrs.fields(Rules)
            if isinstance(field.default, enum.Enum)
            for choice in type(field.default)
        ),
    ]

    assert 7 + 4 + 2 + 4 + 2 + 2 + 2 + 2 == len(words)
    assert [] == [word for word in words if f"`{word}`" not in text]


def test_every_denial_code_stands_in_the_table() -> None:
    """And no code stands there that nothing returns."""
    codes = {
        (code, path.relative_to(ROOT / "plugins").parts[0].removesuffix(".py"))
        for path in (ROOT / "plugins").rglob("*.py")
        for code in _CODE.findall(path.read_text(encoding="utf-8"))
    }

    documented = {
        (code, cells[0])
        for code, cells in rows(PAGE).items()
        if code.isupper() and cells[0] in PLUGINS
    }
    assert codes == documented


def test_the_settings_shown_can_be_used() -> None:
    """The page's TOML example, through the same checks as a real file."""
    (text,) = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
    for name, values in tomllib.loads(text)["plugins"].items():
        structure_settings(values, PLUGINS[name].Settings, f"plugins.{name}")


@pytest.mark.parametrize("cls", register_strategies(), ids=lambda cls: cls.__name__)
def test_every_parameter_stands_in_its_table(cls: type[Strategy]) -> None:
    """With its default and how it may change."""
    expected = {
        field.name: [str(field.default), field.metadata.get("reload", "live")]
        for field in attrs.fields(cls.Parameters)
    }

    documented = rows(section(STRATEGIES_PAGE, cls.__name__))
    assert expected == {name: cells[:2] for name, cells in documented.items()}


def test_every_method_that_makes_an_intent_is_shown() -> None:
    """The table of intents names what `Strategy` offers."""
    makers = {
        name
        for name, function in inspect.getmembers(Strategy, inspect.isfunction)
        if inspect.signature(function).return_annotation == "OrderIntent"
        and not name.startswith("_")
    }

    pending = {"buy_limit", "buy_stop", "sell_limit", "sell_stop", "cancel"}
    assert {"buy", "sell", "close", "protect"} | pending == makers
    assert [] == [name for name in makers if f"`self.{name}(" not in STRATEGIES_PAGE]
