"""Numbers and marks by which orders and positions are told apart."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping

_MAGIC_BITS = 0x7FFF_FFFF


def magic_number(account: str, strategy_id: int) -> int:
    """Derive the magic number of a strategy on an account.

    A default shared by all bots mixes their positions, so it is derived, never set.

    Args:
        account: The account id that the server knows.
        strategy_id: The server's id of the strategy.

    Returns:
        A positive number of at most 31 bits, the same at every start.
    """
    text = f"mt5runner/{account}/{strategy_id}".encode()
    digest = hashlib.blake2b(text, digest_size=4).digest()
    return (int.from_bytes(digest) & _MAGIC_BITS) or 1


def colliding(owners: Mapping[int, int], magic: int, strategy_id: int) -> int | None:
    """Return the other strategy that has the same magic number; None if none has.

    Two in two thousand million collide. Their positions could not be told apart, so
    the second one must not trade.

    Args:
        owners: Magic number to the strategy that it marks.
        magic: Of the strategy in question.
        strategy_id: The server's id of it.
    """
    owner = owners.get(magic)
    return None if owner == strategy_id else owner


def order_token(session: str, number: int) -> str:
    """Make the mark of one order.

    Args:
        session: Unique mark of this start of the runner.
        number: Counts the orders of the session.

    Returns:
        Ten characters of ``A-Z2-7``, short enough for an order's comment.
    """
    digest = hashlib.blake2b(f"{session}/{number}".encode(), digest_size=7).digest()
    return base64.b32encode(digest).decode()[:10]
