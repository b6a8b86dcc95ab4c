from runner import hookimpl


@hookimpl
async def check_order(intent):
    return None
