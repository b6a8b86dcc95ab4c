from runner import hookimpl


@hookimpl
def register_strategies():
    yield "Breakout"
