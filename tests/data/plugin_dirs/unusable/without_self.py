from runner import Plugin, hookimpl


class WithoutSelf(Plugin):
    @hookimpl
    def on_started():
        pass
