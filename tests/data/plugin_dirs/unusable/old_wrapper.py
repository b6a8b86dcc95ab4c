from runner import hookimpl


@hookimpl(hookwrapper=True)
def on_started():
    yield
