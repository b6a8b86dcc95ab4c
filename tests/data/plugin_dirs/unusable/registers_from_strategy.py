from runner import Strategy, hookimpl


class Bot(Strategy):
    def on_bar(self, bar):
        return None

    @staticmethod
    @hookimpl
    def register_strategies():
        return []
