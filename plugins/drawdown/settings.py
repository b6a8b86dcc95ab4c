"""The settings of the drawdown guard.

Two percentages alone are ambiguous in several ways; every choice is a setting here,
and a preset is a set of choices. The percentages themselves come from the server,
which may choose too.
"""

from __future__ import annotations

import attrs

from runner import DrawdownChoices, PluginSettings


@attrs.frozen(kw_only=True)
class DrawdownSettings(DrawdownChoices, PluginSettings):
    """Settings of the drawdown guard: `DrawdownChoices`, and one of its own.

    Attributes:
        server_peak: Whether the server's peak balance counts for an account about
            which nothing is stored here. Off on paper, where it is another account's.
    """

    server_peak: bool = True
