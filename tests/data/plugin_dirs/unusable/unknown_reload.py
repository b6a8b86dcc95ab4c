import attrs
from runner import Parameters, Strategy


@attrs.frozen
class BotParameters(Parameters):
    lookback_period: int = attrs.field(default=10, metadata={"reload": "flat-only"})


class Bot(Strategy):
    Parameters = BotParameters

    def on_bar(self, bar):
        return None
