from runner import hookimpl


@hookimpl
def on_started():
    yield
