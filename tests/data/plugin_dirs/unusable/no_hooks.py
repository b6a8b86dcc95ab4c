from runner import Plugin


class NoHooks(Plugin):
    def chek_order(self, intent):
        return None
