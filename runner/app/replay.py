"""Replays a journal: the same plugins and the same loop, with nothing outside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import attrs

from runner.app.plugins import load_plugins, parameters_finder
from runner.app.recording import RECORDED_SETTINGS, code, how_it_ended
from runner.host.discovery import Discovery
from runner.host.manager import PluginHost
from runner.host.watch import Watch
from runner.loop.build import Surroundings, build_loop
from runner.loop.stop import StopRequest
from runner.recorder.codec import journal_codec
from runner.recorder.observer import observe
from runner.recorder.ports import (
    ScriptedStop,
    learn_through,
    resident_through,
    settings_through,
    without,
)
from runner.replay.comparison import DifferenceError
from runner.replay.reading import JournalError, Run, find_run, read_lines
from runner.replay.tape import BrokenOffError, Tape
from runner.serde import ConfigErrors, structure_settings
from runner.settings import RunnerSettings

_HANGS_AFTER = 120.0
"""Seconds of a call that ended in time when it was recorded, whatever its limit was."""


@attrs.frozen(kw_only=True)
class Replayed:
    """What came of a replay.

    Attributes:
        run: What was replayed.
        tape: How far it came.
        warnings: What is not as it was when the journal was written, one line each.
        difference: The first difference; None if there is none.
    """

    run: Run
    tape: Tape
    warnings: tuple[str, ...] = ()
    difference: DifferenceError | None = None


def replay(path: Path, settings: RunnerSettings) -> Replayed:
    """Replay the run that *path* means.

    Args:
        path: A segment, or a folder of journals; of several runs the newest.
        settings: Where plugins are; what else they say is taken from the journal.

    Raises:
        JournalError: If it cannot be replayed.
        RuntimeError: If this is not the main thread.
        PluginError: If a plugin that ran cannot be loaded.
        SettingsError: If a plugin's settings cannot be used any more.
    """
    run = find_run(path)
    settings = _settings_of(run, settings)
    account = str(run.header.get("account", ""))
    discoveries: list[Discovery] = []
    codec = journal_codec(account, lambda name: _parameters(discoveries, name))
    tape = Tape(read_lines(run), codec)
    warnings: list[str] = []
    watch = Watch(_HANGS_AFTER)
    watch.breaks, tape.break_off = tape, watch.break_off
    watch.start()
    try:
        discovery, host = load_plugins(
            settings,
            without("store", tape),
            watch=watch,
            learn=partial(learn_through, tape),
        )
        discoveries.append(discovery)
        observe(host, tape)
        warnings += _warnings(run, discovery, host)
        _play(run, tape, discovery, host)
    except BrokenOffError:
        pass
    except DifferenceError as error:
        return Replayed(run=run, tape=tape, warnings=tuple(warnings), difference=error)
    finally:
        watch.stop()
    return Replayed(run=run, tape=tape, warnings=tuple(warnings))


def _play(run: Run, tape: Tape, discovery: Discovery, host: PluginHost) -> None:
    store = without("store", tape)
    loop_settings = settings_through(tape, None)
    market, broker = without("market", tape), without("broker", tape)
    around = Surroundings(
        market=market,
        broker=broker,
        link=without("link", tape),
        store=store,
        clock=without("clock", tape),
        stop=ScriptedStop(tape, StopRequest()),
        player=without("player", tape) if run.header["has_player"] else None,
        resident=resident_through(tape, lambda: None),
    )
    try:
        loop = build_loop(
            around,
            host=host,
            find_strategy=discovery.find_strategy,
            settings=loop_settings,
        )
        ended = loop.run().reason
    # What ended the run then must end it now.
    except Exception as error:  # noqa: BLE001 - see above
        ended = how_it_ended(error)
    tape.finish(ended)


def _parameters(discoveries: list[Discovery], name: str) -> Any:
    return parameters_finder(discoveries[0])(name)


def _settings_of(run: Run, settings: RunnerSettings) -> RunnerSettings:
    recorded: Mapping[str, Any] = run.header.get("settings", {})
    values = {name: recorded[name] for name in RECORDED_SETTINGS if name in recorded}
    try:
        found = structure_settings(values, RunnerSettings, "settings")
    except ConfigErrors as error:
        raise JournalError(
            f"{run.folder}: its settings cannot be used: {'; '.join(error.errors)}"
        ) from None
    if len(values) < len(RECORDED_SETTINGS) or "has_player" not in run.header:
        raise JournalError(f"{run.folder}: its header is damaged")
    return attrs.evolve(found, plugin_dirs=settings.plugin_dirs)


def _warnings(run: Run, discovery: Discovery, host: PluginHost) -> Iterator[str]:
    """Yield what is not as it was when the journal was written."""
    now = code(discovery, host)
    for name, version in run.header.get("versions", {}).items():
        if now["versions"].get(name) != version:
            is_now = now["versions"].get(name, "not there")
            yield f"{name}: recorded with {version}, replayed with {is_now}"
    for kind in ("plugins", "strategies"):
        recorded: Mapping[str, str] = run.header.get(kind, {})
        for name, digest in recorded.items():
            if name not in now[kind]:
                yield f"{kind}: {name} is not here; --plugin-dir says where to look"
            elif now[kind][name] != digest:
                yield f"{kind}: {name} has other code than when it was recorded"
        for name in now[kind]:
            if name not in recorded:
                yield f"{kind}: {name} was not there when it was recorded"
    for name in run.header.get("left_out", []):
        yield f"{name} is left out of journals as a secret: its default is used"
