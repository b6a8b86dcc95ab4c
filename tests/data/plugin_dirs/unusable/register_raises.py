from runner import hookimpl


@hookimpl
def register_strategies():
    raise OSError("no strategies today")
