"""What is on disk, in memory."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from runner.ports import StateError


class MemoryStore:
    """A store that survives what is started on it anew, and may fail.

    A value comes back as JSON brings it back.

    Attributes:
        texts: The values by namespace and key.
        is_readable: Whether it can be read.
        is_writable: Whether it can be written.
    """

    def __init__(self) -> None:
        self.texts: dict[tuple[str, str], str] = {}
        self.is_readable = self.is_writable = True

    def get(self, namespace: str, key: str) -> Any | None:
        """Return the value last put, or None."""
        self._check(self.is_readable)
        return json.loads(self.texts.get((namespace, key), "null"))

    def put(self, namespace: str, key: str, value: Any) -> None:
        """Store a value."""
        self._check(self.is_writable)
        self.texts[namespace, key] = json.dumps(value)

    def delete(self, namespace: str, key: str) -> None:
        """Forget a value."""
        self._check(self.is_writable)
        self.texts.pop((namespace, key), None)

    def items(self, namespace: str) -> Mapping[str, Any]:
        """Return every value of *namespace* by key."""
        self._check(self.is_readable)
        return {
            key: json.loads(text)
            for (space, key), text in self.texts.items()
            if space == namespace
        }

    def close(self) -> None:
        """Do nothing: it is still there for the next start."""

    def _check(self, is_possible: bool) -> None:
        if not is_possible:
            raise StateError("disk full")
