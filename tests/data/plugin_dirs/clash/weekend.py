"""Has the name of another folder's plugin."""

from runner import hookimpl


@hookimpl
def check_trading():
    return None
