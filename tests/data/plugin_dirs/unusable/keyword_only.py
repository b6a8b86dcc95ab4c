from runner import hookimpl


@hookimpl
def check_order(*, intent):
    return None
