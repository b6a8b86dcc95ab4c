from runner import Strategy


class Unfinished(Strategy)
    def on_bar(self, bar):
        return None
