"""Names of Redis keys, channels and REST paths, and how long each key lives.

The first four keys and the two config paths are the seed's; the others are extensions.
"""

from __future__ import annotations

BOT_HEARTBEAT_TTL = 60
"""Seconds (seed, key 1)."""
SERVER_HEARTBEAT_TTL = 300
"""Seconds (seed, key 2)."""
CONFIG_VERSION_TTL = 86_400
"""Seconds, of both version keys (seed, keys 3 and 4)."""
COMMAND_TTL = 86_400
"""Seconds; the server writes the hash again with every heartbeat of its own."""
COMMAND_ACK_TTL = 7 * 86_400
"""Seconds."""
CONFIG_ACK_TTL = 86_400
"""Seconds."""
LEASE_TTL = 90
"""Seconds without renewal after which another runner may take the account."""
LEASE_GIVE_UP = 60
"""Seconds without renewal after which the holder itself opens nothing any more."""
EPOCH_TTL = 365 * 86_400
"""Seconds, set again whenever the lease is taken: fencing numbers must not restart."""

EVENTS_ALL = "bot:events:all"
"""Channel of wake-ups for every bot."""
COMMAND_ALL = "bot:command:all"
"""Hash with the fleet's command."""

VERSION_FIELD = "version"
"""The one field of the two version hashes."""


def bot_heartbeat(account: str | int) -> str:
    """Hash that the bot writes (seed, key 1)."""
    return f"bot:heartbeat:{account}"


def server_heartbeat(account: str | int) -> str:
    """Hash that the server writes (seed, key 2)."""
    return f"server:heartbeat:{account}"


def trade_config(account: str | int) -> str:
    """Hash with the trade config's version (seed, key 3)."""
    return f"bot:trade_config:{account}"


def strategy_config(account: str | int, strategy_id: int) -> str:
    """Hash with one strategy config's version (seed, key 4)."""
    return f"bot:strategy_config:{account}:{strategy_id}"


def events(account: str | int) -> str:
    """Channel of wake-ups for one bot."""
    return f"bot:events:{account}"


def command(account: str | int) -> str:
    """Hash with the account's command."""
    return f"bot:command:{account}"


def command_ack(account: str | int) -> str:
    """Hash with the bot's acknowledgement of each command, by its seq."""
    return f"bot:command_ack:{account}"


def config_ack(account: str | int) -> str:
    """Hash with the bot's acknowledgement of each config."""
    return f"bot:config_ack:{account}"


def lease(account: str | int) -> str:
    """String with the session that owns the account."""
    return f"bot:lease:{account}"


def epoch(account: str | int) -> str:
    """Counter of the account's owners: the fencing number."""
    return f"bot:epoch:{account}"


def trade_config_path(account: str | int) -> str:
    """REST path of the trade config (seed, endpoint 1)."""
    return f"/api/bot/trade-config/{account}/"


def strategy_config_path(account: str | int, strategy_id: int) -> str:
    """REST path of one strategy's config (seed, endpoint 2)."""
    return f"/api/bot/strategy-config/{account}/{strategy_id}/"


def commands_path(account: str | int) -> str:
    """REST path of the account's and the fleet's command."""
    return f"/api/bot/commands/{account}/"
