"""Pure functions over columns of closed bars, oldest first."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Column = npt.NDArray[np.float64]


def highest(values: Column, period: int) -> float:
    """Return the largest of the last *period* values.

    Raises:
        ValueError: If there are fewer than *period*.
    """
    return float(_last(values, period).max())


def lowest(values: Column, period: int) -> float:
    """Return the smallest of the last *period* values.

    Raises:
        ValueError: If there are fewer than *period*.
    """
    return float(_last(values, period).min())


def mean(values: Column, period: int) -> float:
    """Return the arithmetic mean of the last *period* values.

    Raises:
        ValueError: If there are fewer than *period*.
    """
    return float(_last(values, period).mean())


def deviation(values: Column, period: int) -> float:
    """Return the standard deviation of the last *period* values (of the population).

    Raises:
        ValueError: If there are fewer than *period*.
    """
    return float(_last(values, period).std())


def _last(values: Column, period: int) -> Column:
    if not 0 < period <= values.size:
        raise ValueError(f"{period} values are needed, there are {values.size}")
    return values[-period:]
