from runner import Strategy


class Awaits(Strategy):
    async def on_bar(self, bar):
        return None
