"""Drawdown and news, from the market's quotes to an order that is not sent."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest

pytestmark = pytest.mark.redis

OPENED = re.compile(r"open (?:buy|sell) (\w+) [\d.]+ at")


def crash(folder, helpers):
    """A market that trends up, falls hard, rests, and trends up again next day."""
    file = helpers.BarFile(
        folder / "EURUSD.csv", datetime(2026, 3, 3, 20, 0, tzinfo=UTC)
    )
    price = 1.1000
    file.add(price)
    for _ in range(20):
        price += 0.0002
        file.add(price)
    for _ in range(20):
        price -= 0.0050
        file.add(price)
    for _ in range(4 * 60):  # past 17:00 in New York, which is 22:00 UTC
        price += 0.0003
        file.add(price)
    return f"csv:EURUSD={file.write()}"


def crash_seed(helpers):
    """One symbol, a large lot, a stop that the crash does not reach."""
    seed = helpers.seed()
    account = seed["accounts"][0]
    account["trade_config"]["enabled_symbols"] = ["EURUSD"]
    account["trade_config"]["lot_size"] = 0.2
    account["risk_config"]["max_account_dd_percent"] = 90.0
    # The worst case of an entry has to fit: 0.2 lots lose 1800 at their stop.
    account["risk_config"]["daily_dd_limit_percent"] = 20.0
    seed["strategies"][0]["parameters_by_symbol"] = {
        "EURUSD": {
            "threshold_points": 0,
            "stop_loss": 9000,
            "take_profit": 300,
            "lookback_period": 5,
        }
    }
    return seed


def set_daily_limit(bench, percent, lot_size):
    """Change the limit, and something that raises the version with it."""
    bench.patch_account(
        risk_config={"daily_dd_limit_percent": percent},
        trade_config={"lot_size": lot_size},
    )


def test_a_floating_loss_of_the_daily_limit_stops_entries_until_the_next_day(
    bench, redis_url, control, helpers
):
    """Blocked on equity, told to the server, after a restart too, then released."""
    bench.serve("--redis-url", redis_url, seed=crash_seed(helpers))
    feed = crash(bench.folder, helpers)
    flags = (
        "--redis-url",
        redis_url,
        "--feed",
        feed,
        "--speed",
        "600",
        "--heartbeat-interval",
        "1",
    )
    runner = bench.run(*flags)
    helpers.wait_until(lambda: OPENED.findall(runner.text), "an entry")
    set_daily_limit(bench, 5.0, lot_size=0.21)
    # Before the first quote it is blocked too, since no day can be told.
    helpers.wait_until(
        lambda: (
            control.hget("bot:heartbeat:123456", "dd_block_reason") or ""
        ).startswith("DAILY_DRAWDOWN"),
        "a heartbeat blocked by the daily limit",
    )
    beat = control.hgetall("bot:heartbeat:123456")
    assert "true" == beat["dd_blocked"]
    assert "PAUSED" == beat["bot_status"]
    fleet = bench.admin("GET", "fleet/").json()["accounts"][0]
    assert "true" == str(fleet["heartbeat"]["dd_blocked"]).lower()
    assert 1 == len(OPENED.findall(runner.text))
    runner.kill()
    control.delete("bot:lease:123456")
    set_daily_limit(bench, 20.0, lot_size=0.2)  # a higher limit releases nothing

    again = bench.run(*flags)
    again.wait_for("DAILY_DRAWDOWN")
    again.wait_for("the daily limit counts from a new day")
    blocked, _, released = again.text.partition("the daily limit counts from a new day")
    assert [] == OPENED.findall(blocked)
    helpers.wait_until(
        lambda: OPENED.findall(
            again.text.partition("the daily limit counts from a new day")[2]
        ),
        "entries after the reset",
    )
    assert released is not None


def test_a_high_impact_event_pauses_its_currencies_alone(
    bench, redis_url, control, helpers
):
    """A USD event: EURUSD and XAUUSD pause for the window, EURGBP trades through it."""
    start = datetime(2026, 3, 3, 12, 0, tzinfo=UTC)
    specs = []
    for symbol, first, step, digits in (
        ("EURUSD", 1.1, 0.0005, 5),
        ("XAUUSD", 2000.0, 0.5, 2),
        ("EURGBP", 0.85, 0.0005, 5),
    ):
        file = helpers.BarFile(bench.folder / f"{symbol}.csv", start)
        price = first
        file.add(price, digits=digits)
        for n in range(150):
            price += step if (n // 15) % 2 == 0 else -step
            file.add(price, digits=digits)
        specs.append(f"{symbol}={file.write()}")
    calendar = bench.folder / "week.json"
    calendar.write_text(
        json.dumps(
            [
                {
                    "title": "Non-Farm Employment Change",
                    "country": "USD",
                    "date": "2026-03-03T08:15:00-05:00",
                    "impact": "High",
                    "forecast": "",
                    "previous": "",
                }
            ]
        )
    )
    seed = helpers.seed()
    seed["accounts"][0]["trade_config"] |= {
        "enabled_symbols": ["EURUSD", "XAUUSD", "EURGBP"],
        "auto_pause_on_news": True,
    }
    strategy = seed["strategies"][0]
    strategy["allowed_symbols"] = ["EURUSD", "XAUUSD", "EURGBP"]
    strategy["parameters_by_symbol"] = dict.fromkeys(
        strategy["allowed_symbols"], helpers.PARAMETERS["XAUUSD"]
    )
    bench.serve("--redis-url", redis_url, seed=seed)
    config = bench.folder / "runner.toml"
    config.write_text(f"[plugins.news_pause]\ncalendar = {json.dumps(str(calendar))}\n")
    journal = bench.folder / "guards"
    journal.mkdir()
    (journal / "journal.py").write_text(
        "from runner import OrderIntent, OrderRequest, hookimpl\n"
        "import datetime\n\n"
        "@hookimpl\n"
        "def on_order_sent(request: OrderRequest, now: datetime.datetime) -> None:\n"
        "    print('SENT', request.action.value, request.symbol, now.isoformat(), "
        "flush=True)\n"
    )
    runner = bench.run(
        "--redis-url",
        redis_url,
        "--config",
        str(config),
        "--feed",
        "csv:" + ",".join(specs),
        "--speed",
        "max",
        "--exit-when-feed-ends",
        "--plugin-dir",
        str(journal),
    )

    assert 0 == runner.wait(), runner.text
    entries = re.findall(r"SENT open (\w+) (\S+)", runner.text)
    window = (
        datetime(2026, 3, 3, 12, 45, tzinfo=UTC),
        datetime(2026, 3, 3, 13, 45, tzinfo=UTC),
    )
    inside = {
        symbol
        for symbol, at in entries
        if window[0] <= datetime.fromisoformat(at) < window[1]
    }
    assert {"EURGBP"} == inside
    assert {"EURUSD", "XAUUSD", "EURGBP"} == {symbol for symbol, _ in entries}
    assert "NEWS_WINDOW" in runner.text
