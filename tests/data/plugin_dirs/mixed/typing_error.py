from runner import hookimpl


@hookimpl
def check_ordr(intent):
    return None
