from runner import hookimpl


@hookimpl
def check_order(intnet):
    return None
