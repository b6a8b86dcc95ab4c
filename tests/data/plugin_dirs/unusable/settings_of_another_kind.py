from runner import Plugin, hookimpl


class Limit(Plugin):
    Settings = dict

    @hookimpl
    def check_trading(self):
        return None
