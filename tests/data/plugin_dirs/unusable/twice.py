from runner import hookimpl


@hookimpl
def check_trading():
    return None


@hookimpl(specname="check_trading")
def once_more():
    return None
