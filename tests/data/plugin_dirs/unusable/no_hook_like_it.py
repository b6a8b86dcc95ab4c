from runner import hookimpl


@hookimpl
def frobnicate():
    return None
