from runner import Deny, hookimpl


@hookimpl
def check_order(intent: int) -> Deny | None:
    return None
