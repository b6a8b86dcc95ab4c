"""The project's short name and the two pluggy markers made from it."""

from __future__ import annotations

import pluggy

PROJECT_NAME = "mt5runner"

hookspec = pluggy.HookspecMarker(PROJECT_NAME)
hookimpl = pluggy.HookimplMarker(PROJECT_NAME)
