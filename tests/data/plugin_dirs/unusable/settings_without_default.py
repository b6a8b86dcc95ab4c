import attrs
from runner import Plugin, PluginSettings, hookimpl


@attrs.frozen
class LimitSettings(PluginSettings):
    limit: int


class Limit(Plugin):
    Settings = LimitSettings

    @hookimpl
    def check_trading(self):
        return None
