from runner import OrderIntent, hookimpl


@hookimpl
def check_order(intent: OrderIntent) -> bool:
    return True
