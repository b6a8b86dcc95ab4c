from __future__ import annotations

import attrs

from runner.core.reload import changes, must_wait, refusals


@attrs.frozen
class Example:
    stop_loss: int = 100
    mode: str = attrs.field(default="a", metadata={"reload": "flat_only"})
    magic: int = attrs.field(default=1, metadata={"reload": "restart"})


def test_only_what_differs_is_a_change():
    """Symbols and fields that stay as they are do not appear."""
    old = {"XAUUSD": Example(), "EURUSD": Example()}
    new = {"XAUUSD": Example(stop_loss=120), "EURUSD": Example()}

    assert ["XAUUSD.stop_loss: 100 -> 120"] == [str(one) for one in changes(old, new)]


def test_symbols_that_appear_and_vanish_are_changes():
    """A symbol comes or goes as a whole."""
    found = changes({"XAUUSD": Example()}, {"EURUSD": Example()})

    assert ["EURUSD added", "XAUUSD removed"] == [str(one) for one in found]


def test_a_restart_only_parameter_is_refused_with_its_path_and_remedy():
    """The error says which parameter and what to do."""
    found = changes({"XAUUSD": Example()}, {"XAUUSD": Example(magic=2)})

    expected = (
        "$.parameters_by_symbol.XAUUSD.magic: cannot change while the strategy runs "
        "(from 1 to 2); restart the runner to apply it"
    )
    assert (expected,) == refusals(found)


def test_a_flat_only_parameter_waits_for_its_symbol_alone():
    """It waits while a position is open in that symbol, whatever others hold."""
    found = changes({"XAUUSD": Example()}, {"XAUUSD": Example(mode="b")})

    assert ("XAUUSD",) == must_wait(found, flat=["EURUSD"])
    assert () == must_wait(found, flat=["XAUUSD"])
