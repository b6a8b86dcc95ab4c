"""Figures for Prometheus as text. No money and no secrets, since no key is asked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from server_stub.observation import ObservedStatus, Snapshot
from server_stub.records import AccountRecord, StrategyRecord

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_Labels = Mapping[str, object]


def metrics_text(
    accounts: Iterable[AccountRecord],
    strategies: Iterable[StrategyRecord],
    snapshot: Snapshot,
    answers: Mapping[int, int],
) -> str:
    """Return the page.

    Args:
        accounts: Every account.
        strategies: Every strategy.
        snapshot: What is known of the bots.
        answers: HTTP status to the number of answers given with it.
    """
    records = list(accounts)
    statuses = Counter(snapshot.of(r.mt5_account_id).status for r in records)
    up = (ObservedStatus.ACTIVE, ObservedStatus.PAUSED)
    families = [
        _family(
            "config_server_accounts",
            "gauge",
            "Accounts by observed status.",
            [({"observed_status": s.value}, statuses[s]) for s in ObservedStatus],
        ),
        _family(
            "config_server_bot_up",
            "gauge",
            "Whether the account's bot has a heartbeat.",
            [
                (
                    {"mt5_account_id": r.mt5_account_id},
                    int(snapshot.of(r.mt5_account_id).status in up),
                )
                for r in records
            ],
        ),
        _family(
            "config_server_trade_config_version",
            "gauge",
            "Version of the account's trade config.",
            [({"mt5_account_id": r.mt5_account_id}, r.version) for r in records],
        ),
        _family(
            "config_server_strategy_config_version",
            "gauge",
            "Version of the strategy's config.",
            [({"strategy_id": r.strategy_id}, r.version) for r in strategies],
        ),
        _family(
            "config_server_http_answers_total",
            "counter",
            "HTTP answers by status.",
            [({"status": status}, count) for status, count in sorted(answers.items())],
        ),
    ]
    if snapshot.redis != "none":
        name, words = "config_server_redis_up", "Whether Redis answered last."
        families.append(_family(name, "gauge", words, [({}, snapshot.redis == "up")]))
    return "".join(families)


def _family(
    name: str, kind: str, words: str, samples: Iterable[tuple[_Labels, int]]
) -> str:
    # Label values are ids, statuses and numbers: none needs escaping.
    lines = [f"# HELP {name} {words}\n", f"# TYPE {name} {kind}\n"]
    for labels, value in samples:
        inside = ",".join(f'{key}="{label}"' for key, label in labels.items())
        shown = f"{{{inside}}}" if inside else ""
        lines.append(f"{name}{shown} {int(value)}\n")
    return "".join(lines)
