from runner import Plugin, hookimpl


class Odd(Plugin):
    name = "my guard"

    @hookimpl
    def check_trading(self):
        return None
