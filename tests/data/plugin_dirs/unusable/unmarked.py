from runner import Plugin, hookimpl


class Unmarked(Plugin):
    @hookimpl
    def on_started(self):
        pass

    def check_order(self, intent):
        return None
