"""What a recorded loop needs beside a scripted one."""

from __future__ import annotations

from typing import Any

import attrs

from runner.link import StrategyConfigStaged, TradeConfigStaged
from runner.serde import unstructure


class Bodies:
    """The scripted link, its configs with the bodies that they are made of."""

    def __init__(self, link: Any) -> None:
        self._link = link

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def take(self) -> list[Any]:
        return [self._with_body(event) for event in self._link.take()]

    def _with_body(self, event: Any) -> Any:
        if isinstance(event, TradeConfigStaged | StrategyConfigStaged):
            return attrs.evolve(event, body=unstructure(event.config))
        return event
