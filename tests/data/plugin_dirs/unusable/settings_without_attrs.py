from runner import Plugin, PluginSettings, hookimpl


class LimitSettings(PluginSettings):
    limit: int = 3


class Limit(Plugin):
    Settings = LimitSettings

    @hookimpl
    def check_trading(self):
        return None
