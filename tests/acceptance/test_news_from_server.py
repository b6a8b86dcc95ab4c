"""News from the server to a runner on paper, as processes, switched live."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.redis


def test_the_servers_calendar_stops_entries_until_it_is_switched_off(
    bench, redis_url, control, helpers
):
    """A PATCH of `auto_pause_on_news` ends the pause and brings it back."""
    start = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
    file = helpers.BarFile(bench.folder / "EURUSD.csv", start)
    price = 1.1
    file.add(price)
    for n in range(6000):
        price += 0.0005 if (n // 15) % 2 == 0 else -0.0005
        file.add(price)
    seed = helpers.seed()
    seed["accounts"][0]["trade_config"] |= {
        "enabled_symbols": ["EURUSD"],
        "auto_pause_on_news": True,
    }
    seed["strategies"][0]["parameters_by_symbol"] = {
        "EURUSD": helpers.PARAMETERS["EURUSD"]
    }
    seed["calendar"] = [
        {
            "date": (start + timedelta(hours=hour)).isoformat(),
            "country": "USD",
            "impact": "High",
            "title": "Speech",
        }
        for hour in range(100)
    ]
    bench.serve("--redis-url", redis_url, seed=seed)
    config = bench.folder / "runner.toml"
    config.write_text(
        '[plugins.news_pause]\nsources = ["server"]\nwindows = { High = [60, 60] }\n'
    )
    runner = bench.run(
        "--redis-url",
        redis_url,
        "--config",
        str(config),
        "--feed",
        f"csv:EURUSD={file.write()}",
        "--speed",
        "1200",
        "--heartbeat-interval",
        "1",
    )

    def state() -> str:
        news = control.hget("bot:heartbeat:123456", "news")
        return json.loads(news)["state"] if news else ""

    def opened() -> int:
        return len(re.findall(r"open (?:buy|sell) EURUSD [\d.]+ at", runner.text))

    helpers.wait_until(lambda: state() == "BLOCKED", "a heartbeat in a news window")
    runner.wait_for("NEWS_WINDOW")
    assert 0 == opened()
    status = bench.start("-m", "runner", "status", "--redis-url", redis_url)
    assert 0 == status.wait()
    assert "news: entries in EURUSD stop, the first until 2026-03-" in status.text
    assert "Z: USD Speech" in status.text

    bench.patch_account(**{"trade_config.auto_pause_on_news": False})
    helpers.wait_until(lambda: state() == "OFF", "a heartbeat that is switched off")
    helpers.wait_until(opened, "entries")

    bench.patch_account(**{"trade_config.auto_pause_on_news": True})
    helpers.wait_until(lambda: state() == "BLOCKED", "a heartbeat in a window again")

    def since() -> str:
        return str(runner.text).partition("trade config 3 applied")[2]

    helpers.wait_until(lambda: "NEWS_WINDOW" in since(), "a denied entry")
    assert "orders: open " not in since()
