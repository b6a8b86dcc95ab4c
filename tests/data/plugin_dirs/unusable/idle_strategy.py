from runner import Strategy


class Idle(Strategy):
    def on_bars(self, bar):
        return None
