"""A run is recorded, killed, and decided again as it was."""

from __future__ import annotations

import gzip
import json
import re
import zlib

import pytest

pytestmark = pytest.mark.redis

STRATEGY = '''\
"""Breaks out, and asks for a stop that nobody configures."""

import attrs

from runner import Bar, OrderIntent, Parameters, Strategy


@attrs.frozen
class BreakerParameters(Parameters):
    lookback_period: int = 5
    stop_loss: int = 100
    take_profit: int = 100


class Breaker(Strategy):
    Parameters = BreakerParameters

    def on_bar(self, bar: Bar) -> OrderIntent | None:
        settings = self.parameters[bar.symbol]
        highest = self.bars(bar.symbol).high[-settings.lookback_period :].max()
        if bar.close > highest and self.is_flat(bar.symbol):
            return self.buy(
                bar.symbol,
                stop_loss=settings.stop_loss,
                take_profit=settings.take_profit,
            )
        return None
'''
GUARD = '''\
"""Denies every third order, by a file that it reads itself."""

from pathlib import Path

from runner import Deny, OrderIntent, Plugin, hookimpl


class Third(Plugin):
    asked = 0

    @hookimpl
    def check_order(self, intent: OrderIntent) -> Deny | None:
        number = self.state.learn("every", lambda: int(Path("every").read_text()))
        self.asked += 1
        return Deny("THIRD", str(self.asked)) if self.asked % number == 0 else None
'''
MT5_PASSWORD = "terminal-pass-word"


def lines(folder) -> list[str]:
    """What stands in the newest run under *folder*."""
    [*_, newest] = sorted(folder.rglob("00001.jsonl.gz"))
    found = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(newest.read_bytes())
    return found.decode().splitlines()


@pytest.fixture
def killed(bench, redis_url, helpers):
    """The folder of a run with everything in it, which `kill -9` ended."""
    seed = helpers.seed()
    seed["strategies"][0] |= {
        "bot_strategy_class": "Breaker",
        "parameters_by_symbol": {"EURUSD": {}, "XAUUSD": {"stop_loss": 120}},
    }
    bench.serve("--redis-url", redis_url, seed=seed)
    folder = bench.folder / "bots"
    folder.mkdir()
    (folder / "breaker.py").write_text(STRATEGY)
    (folder / "third.py").write_text(GUARD)
    (bench.folder / "every").write_text("3")
    config = bench.folder / "runner.toml"
    config.write_text('[plugins.news_pause]\nwhen_unknown = "allow"\n')
    runner = bench.run(
        "--redis-url",
        redis_url,
        "--config",
        str(config),
        "--feed",
        helpers.busy_market(bench.folder),
        "--speed",
        "1200",
        "--heartbeat-interval",
        "1",
        "--plugin-dir",
        str(folder),
        MT5RUNNER_MT5_PASSWORD=MT5_PASSWORD,
    )
    runner.wait_for("THIRD")
    bench.patch_strategy(**{"parameters_by_symbol.XAUUSD.stop_loss": 150})
    runner.wait_for("XAUUSD.stop_loss: 120 -> 150")
    bench.patch_strategy(**{"parameters_by_symbol.XAUUSD.stop_loss": 140})
    runner.wait_for("XAUUSD.stop_loss: 150 -> 140")
    bench.admin("POST", "accounts/123456/command/", {"action": "FLATTEN"})
    runner.wait_for("FLATTEN")
    bench.admin("POST", "accounts/123456/command/", {"action": "RUN"})
    before = runner.text.count("open buy")
    helpers.wait_until(
        lambda: runner.text.count("open buy") > before + 2, "orders after the RUN"
    )
    (bench.folder / "every").write_text("2")
    changed = '"plugins.learn",["plugin.third.every"],2]'
    helpers.wait_until(
        lambda: any(changed in line for line in lines(bench.folder / "state")),
        "what the plugin learned, in the journal",
    )
    runner.kill()
    (bench.folder / "every").unlink()
    return bench.folder / "state" / "journal"


def replay(bench, journal, *flags):
    """Run ``runner replay`` and return the process, ended."""
    process = bench.start("-m", "runner", "replay", "--journal", str(journal), *flags)
    process.wait()
    return process


def test_a_killed_run_is_decided_again_to_the_byte(bench, killed):
    """Configs, commands, denials, orders; and no secret in any of it."""
    process = replay(bench, killed, "--plugin-dir", str(bench.folder / "bots"))

    assert 0 == process.wait(), process.text
    assert "every decision is the same, to the byte" in process.text
    assert "the journal breaks off" in process.text
    assert "warning" not in process.text
    counts = dict(re.findall(r"([a-z_.]+) (\d+)", process.text.split("decisions:")[1]))
    assert {"broker.send", "host.denied", "host.state", "link.beat"} <= counts.keys()
    assert int(counts["link.applied"]) >= 4
    text = "\n".join(lines(killed))
    assert 2 <= text.count('"kind":"CommandSeen"')
    assert [] == [word for word in ("demo-key", MT5_PASSWORD) if word in text]


def test_a_changed_strategy_is_shown_at_its_first_other_decision(bench, killed):
    """One default: a warning, both lines, the value, and exit code 6."""
    file = bench.folder / "bots" / "breaker.py"
    file.write_text(STRATEGY.replace("take_profit: int = 100", "take_profit: int = 99"))

    process = replay(bench, killed, "--plugin-dir", str(bench.folder / "bots"))

    assert 6 == process.wait(), process.text
    assert "warning: strategies: Breaker has other code" in process.text
    assert "first difference at entry" in process.text
    assert re.search(r"take_profit: 100(\.0)? -> 99", process.text)


def test_a_strategy_that_is_not_here_is_named(bench, killed):
    """Without its folder the config cannot be taken, and the output says so."""
    process = replay(bench, killed)

    assert 6 == process.wait(), process.text
    assert "strategies: Breaker is not here; --plugin-dir" in process.text
    assert "no strategy of the class" in process.text


def test_a_folder_without_a_journal_is_refused(bench):
    """One line, exit code 2."""
    process = replay(bench, bench.folder)

    assert 2 == process.wait()
    assert "there is no journal in it" in process.text


def test_nothing_is_recorded_where_it_is_switched_off(bench, helpers):
    """``--journal off``; any other word is a folder."""
    bench.serve(seed=helpers.seed())
    feed = helpers.busy_market(bench.folder, 200)
    words = ("--feed", feed, "--speed", "max", "--exit-when-feed-ends")
    off = bench.run(*words, "--journal", "off")
    assert 0 == off.wait(), off.text
    on = bench.run(*words, "--journal", "elsewhere")
    assert 0 == on.wait(), on.text

    assert not (bench.folder / "state" / "journal").exists()
    assert not (bench.folder / "off").exists()
    [segment] = (bench.folder / "elsewhere").rglob("*.gz")
    with gzip.open(segment, "rt") as file:
        *_, last = file
    assert ["end", "the feed has ended"] == json.loads(last)
    assert 0 == replay(bench, segment).wait()
