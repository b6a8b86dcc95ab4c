"""The facade: every hook, one plugin at a time, and what happens when one fails."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import attrs
import pytest

from runner import Demand, Denial, Deny, NewsEvent, Plugin, PluginSettings, hookimpl
from runner.core.orders import OrderIntent
from runner.host.implementations import SPECS
from runner.host.manager import GUARD_FAILED, PluginHost
from runner.host.records import (
    BUILT_IN,
    PluginError,
    PluginRecord,
    Source,
)

ACME = Source.distribution("acme", "1.0")
Arguments = dict[str, dict[str, Any]]

CPI = NewsEvent(datetime(2026, 3, 4, tzinfo=UTC), "USD", "High", "CPI m/m")
CLOSE_ONE = Demand(code="LATE", close=(1,))
ANSWERS: Mapping[str, Any] = {
    "check_trading": Deny("NO"),
    "check_symbol": Deny("NO"),
    "check_order": Deny("NO"),
    "demand_exits": CLOSE_ONE,
    "choose_calendar": [CPI],
    "choose_volume": 0.2,
    "describe_status": {"field": "value"},
    "choose_heartbeat": {"bot_status": "ACTIVE"},
}


class Recorder:
    """Implements every hook: writes down its arguments and returns an answer."""

    def __init__(self, answers: Mapping[str, Any] = ANSWERS) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers = answers

    def called(self, hook: str, arguments: dict[str, Any]) -> Any:
        """Record a call; raise the answer if it is an error."""
        arguments.pop("self")
        self.calls.append((hook, arguments))
        answer = self.answers.get(hook)
        if isinstance(answer, BaseException):
            raise answer
        return answer


def _implement(hook: str, names: str) -> Callable[..., Any]:
    scope: dict[str, Any] = {}
    source = f"def {hook}({names}): return self.called({hook!r}, dict(locals()))"
    exec(source, scope)
    function: Callable[..., Any] = hookimpl(scope[hook])
    return function


for _hook, _spec in SPECS.items():
    _names = ["self", *_spec.__annotations__]
    _names.remove("return")
    setattr(Recorder, _hook, _implement(_hook, ", ".join(_names)))


def _host(*plugins: tuple[str, object]) -> PluginHost:
    host = PluginHost()
    for name, plugin in plugins:
        host.attach(name, plugin, ACME)
    return host


def _call(host: PluginHost, hook: str, arguments: Arguments) -> Any:
    return getattr(host, hook)(**arguments[hook])


def _check_hook(hook: str, arguments: Arguments, expected: Any) -> None:
    recorder = Recorder()
    host = _host(("recorder", recorder))

    answer = _call(host, hook, arguments)

    assert [(hook, arguments[hook])] == recorder.calls
    assert expected == answer
    assert {} == host.failures


NO = [Denial("recorder", Deny("NO"))]


def test_hook_on_started(hook_arguments: Arguments) -> None:
    """The start is told with account and time."""
    _check_hook("on_started", hook_arguments, None)


def test_hook_on_trade_config_applied(hook_arguments: Arguments) -> None:
    """An applied trade config is told."""
    _check_hook("on_trade_config_applied", hook_arguments, None)


def test_hook_on_strategy_config_applied(hook_arguments: Arguments) -> None:
    """An applied strategy config is told with what changed."""
    _check_hook("on_strategy_config_applied", hook_arguments, None)


def test_hook_on_config_refused(hook_arguments: Arguments) -> None:
    """A refused config is told with every error."""
    _check_hook("on_config_refused", hook_arguments, None)


def test_hook_on_deals(hook_arguments: Arguments) -> None:
    """New deals are told."""
    _check_hook("on_deals", hook_arguments, None)


def test_hook_on_account(hook_arguments: Arguments) -> None:
    """A reading of the account is told."""
    _check_hook("on_account", hook_arguments, None)


def test_hook_on_bar_closed(hook_arguments: Arguments) -> None:
    """A closed bar is told."""
    _check_hook("on_bar_closed", hook_arguments, None)


def test_hook_choose_calendar(hook_arguments: Arguments) -> None:
    """Chosen events are returned."""
    _check_hook("choose_calendar", hook_arguments, (CPI,))


@pytest.mark.parametrize("answer", [5, [], ["CPI"]], ids=str)
def test_a_calendar_must_be_of_events_and_not_empty(
    answer: Any, hook_arguments: Arguments
) -> None:
    """No events are not the same as no news: that is a failure, not an answer."""
    host = _host(("broken", Recorder({"choose_calendar": answer})))

    assert _call(host, "choose_calendar", hook_arguments) is None
    assert ["broken"] == list(host.failures)


def test_hook_on_calendar_changed(hook_arguments: Arguments) -> None:
    """New events are told."""
    _check_hook("on_calendar_changed", hook_arguments, None)


def test_hook_check_trading(hook_arguments: Arguments) -> None:
    """A guard's no to the account comes with the guard's name."""
    _check_hook("check_trading", hook_arguments, NO)


def test_hook_check_symbol(hook_arguments: Arguments) -> None:
    """A guard's no to a symbol comes with the guard's name."""
    _check_hook("check_symbol", hook_arguments, NO)


def test_hook_check_order(hook_arguments: Arguments) -> None:
    """A guard's no to an order comes with the guard's name."""
    _check_hook("check_order", hook_arguments, NO)


def test_hook_demand_exits(hook_arguments: Arguments) -> None:
    """What a guard demands comes under the guard's name, one or several alike."""
    _check_hook("demand_exits", hook_arguments, {"recorder": (CLOSE_ONE,)})


@pytest.mark.parametrize("answer", [ValueError("no"), 5, "CLOSE", [CLOSE_ONE, None]])
def test_a_guard_that_fails_to_demand_is_told_from_one_that_demands_nothing(
    answer: Any, hook_arguments: Arguments
) -> None:
    """None says that what it demanded before stands; an empty answer takes it back."""
    host = _host(
        ("broken", Recorder({"demand_exits": answer})),
        ("content", Recorder({"demand_exits": None})),
        ("keen", Recorder({"demand_exits": [CLOSE_ONE, CLOSE_ONE]})),
    )

    demands = _call(host, "demand_exits", hook_arguments)

    expected = {"broken": None, "keen": (CLOSE_ONE, CLOSE_ONE), "content": ()}
    assert expected == demands
    assert ["broken"] == list(host.failures)


@pytest.mark.parametrize(
    ("hook", "one"), [("demand_exits", CLOSE_ONE), ("choose_calendar", CPI)]
)
def test_an_answer_without_an_end_is_a_failure(
    hook: str, one: object, hook_arguments: Arguments
) -> None:
    """No memory would hold it, and nothing of the author's runs meanwhile."""
    host = _host(("endless", Recorder({hook: itertools.repeat(one)})))

    _call(host, hook, hook_arguments)

    assert "ValueError: expected at most 10000, got more" in host.failures["endless"]


def test_hook_choose_volume(hook_arguments: Arguments) -> None:
    """A chosen size is returned."""
    _check_hook("choose_volume", hook_arguments, 0.2)


def test_hook_on_order_denied(hook_arguments: Arguments) -> None:
    """A denied intent is told with every denial."""
    _check_hook("on_order_denied", hook_arguments, None)


def test_hook_on_order_sent(hook_arguments: Arguments) -> None:
    """An order is told before it is sent."""
    _check_hook("on_order_sent", hook_arguments, None)


def test_hook_on_order_result(hook_arguments: Arguments) -> None:
    """An order's result is told."""
    _check_hook("on_order_result", hook_arguments, None)


def test_hook_on_position_closed(hook_arguments: Arguments) -> None:
    """A closing deal is told."""
    _check_hook("on_position_closed", hook_arguments, None)


def test_hook_on_trading_state_changed(hook_arguments: Arguments) -> None:
    """A change of the trading state is told with its reasons."""
    _check_hook("on_trading_state_changed", hook_arguments, None)


def test_hook_on_plugin_error(hook_arguments: Arguments) -> None:
    """A failure of one plugin is told to the others, in words."""
    recorder = Recorder()
    failing = Recorder({"on_bar_closed": ValueError("no data")})
    host = _host(("failing", failing), ("recorder", recorder))

    host.on_bar_closed(**hook_arguments["on_bar_closed"])

    bar = hook_arguments["on_bar_closed"]["bar"]
    told = {
        "plugin": "failing",
        "hook": "on_bar_closed",
        "error": "ValueError: no data",
        "now": bar.closes_at,
    }
    assert ("on_plugin_error", told) in recorder.calls


def test_hook_describe_status(hook_arguments: Arguments) -> None:
    """Fields for the heartbeat are merged."""
    _check_hook("describe_status", hook_arguments, {"field": "value"})


def test_hook_choose_heartbeat(hook_arguments: Arguments) -> None:
    """A composed heartbeat is returned."""
    _check_hook("choose_heartbeat", hook_arguments, {"bot_status": "ACTIVE"})


def test_hook_on_stopping(hook_arguments: Arguments) -> None:
    """The clean stop is told with its reason."""
    _check_hook("on_stopping", hook_arguments, None)


# -- isolation -------------------------------------------------------------------------
CALLED = [hook for hook in SPECS if hook != "register_strategies"]


@pytest.mark.parametrize("error", [ValueError("no"), SystemExit(3), RecursionError()])
@pytest.mark.parametrize("hook", [hook for hook in CALLED if hook != "on_plugin_error"])
def test_what_one_plugin_raises_is_kept_from_the_others(
    hook: str, error: BaseException, hook_arguments: Arguments
) -> None:
    """Whatever a plugin raises is counted, and the others are called all the same."""
    failing, sound = Recorder({hook: error}), Recorder({})
    host = _host(("failing", failing), ("sound", sound))

    _call(host, hook, hook_arguments)

    assert ["failing"] == list(host.failures)
    expects_one = hook.startswith("choose_")
    assert ((hook, hook_arguments[hook]) in sound.calls) is not expects_one


@pytest.mark.parametrize("hook", CALLED)
def test_an_interrupt_passes(hook: str, hook_arguments: Arguments) -> None:
    """Ctrl-C in a plugin's hook stops the runner, as anywhere else."""
    host = _host(("plugin", Recorder({hook: KeyboardInterrupt()})))
    host.attach("failing", Recorder({"on_started": ValueError()}), ACME)
    called = "on_started" if hook == "on_plugin_error" else hook

    with pytest.raises(KeyboardInterrupt):
        _call(host, called, hook_arguments)


@pytest.mark.parametrize("hook", CALLED)
def test_a_hook_that_nobody_implements_has_an_answer(
    hook: str, hook_arguments: Arguments
) -> None:
    """Without plugins nothing is denied, chosen or described."""
    host = PluginHost()
    answers: dict[str, object] = {"check": [], "describe": {}, "demand": {}}
    nothing = answers.get(hook.partition("_")[0])

    if hook != "on_plugin_error":
        assert nothing == _call(host, hook, hook_arguments)


# -- guards ----------------------------------------------------------------------------
@pytest.mark.parametrize("hook", ["check_trading", "check_symbol", "check_order"])
@pytest.mark.parametrize(
    ("answer", "detail"),
    [
        (ZeroDivisionError("division by zero"), "ZeroDivisionError: division by zero"),
        (SystemExit("bye"), "SystemExit: bye"),
        (True, "TypeError: expected Deny or None, got True"),
        (False, "TypeError: expected Deny or None, got False"),
        ("NO", "TypeError: expected Deny or None, got 'NO'"),
        ([], "TypeError: expected Deny or None, got []"),
    ],
)
def test_a_guard_that_fails_denies(
    hook: str, answer: Any, detail: str, hook_arguments: Arguments
) -> None:
    """An error and a wrong answer count as a no: guards fail closed."""
    host = _host(("broken", Recorder({hook: answer})))

    denials = _call(host, hook, hook_arguments)

    assert [Denial("broken", Deny(GUARD_FAILED, detail))] == denials


def test_all_guards_are_asked_and_every_denial_is_kept(
    hook_arguments: Arguments,
) -> None:
    """A first no, or a first failure, does not spare the others their say."""
    host = _host(
        ("first", Recorder({"check_order": Deny("A")})),
        ("abstains", Recorder({})),
        ("broken", Recorder({"check_order": ValueError("x")})),
        ("last", Recorder({"check_order": Deny("B")})),
    )

    denials = host.check_order(**hook_arguments["check_order"])

    assert [
        Denial("first", Deny("A")),
        Denial("broken", Deny(GUARD_FAILED, "ValueError: x")),
        Denial("last", Deny("B")),
    ] == denials


def test_an_error_that_cannot_be_printed_still_denies(
    hook_arguments: Arguments,
) -> None:
    """Not even an exception whose own text raises gets past the host."""

    class Unprintable(Exception):  # noqa: N818 - the name is its point
        """Raises when it is printed."""

        def __str__(self) -> str:
            raise ValueError

    host = _host(("broken", Recorder({"check_order": Unprintable()})))

    [denial] = host.check_order(**hook_arguments["check_order"])

    assert GUARD_FAILED == denial.deny.code
    assert "Unprintable" in denial.deny.detail


def test_a_long_error_is_cut_to_one_short_line(hook_arguments: Arguments) -> None:
    """What goes into heartbeats and denials stays readable."""
    host = _host(("broken", Recorder({"check_trading": ValueError("a\n" * 1000)})))

    [denial] = host.check_trading(**hook_arguments["check_trading"])

    assert 300 == len(denial.deny.detail)
    assert "\n" not in denial.deny.detail


# -- deciders --------------------------------------------------------------------------
@pytest.mark.parametrize(
    "answer",
    [ValueError("no"), "0.1", True, [0.1], 0, -0.1, float("nan"), float("inf")],
    ids=repr,
)
def test_a_wrong_size_is_no_size(answer: Any, hook_arguments: Arguments) -> None:
    """A failing decider is not replaced by the next one: there is no value."""
    host = _host(
        ("broken", Recorder({"choose_volume": answer})),
        ("next", Recorder({"choose_volume": 0.5})),
    )

    assert host.choose_volume(**hook_arguments["choose_volume"]) is None
    assert ["broken"] == list(host.failures)


@pytest.mark.parametrize(
    "answer", [ValueError("no"), "ACTIVE", {"pid": 1}, {1: "pid"}, [("a", "b")]]
)
def test_a_wrong_heartbeat_is_no_heartbeat(
    answer: Any, hook_arguments: Arguments
) -> None:
    """What is not text to text is not sent."""
    host = _host(("broken", Recorder({"choose_heartbeat": answer})))

    assert host.choose_heartbeat(**hook_arguments["choose_heartbeat"]) is None
    assert ["broken"] == list(host.failures)


def test_a_whole_number_is_a_size(hook_arguments: Arguments) -> None:
    """One lot may be written as 1."""
    host = _host(("one", Recorder({"choose_volume": 1})))

    volume = host.choose_volume(**hook_arguments["choose_volume"])

    assert 1.0 == volume
    assert isinstance(volume, float)


def test_deciders_that_abstain_leave_it_to_the_next(hook_arguments: Arguments) -> None:
    """None is no opinion."""
    host = _host(
        ("abstains", Recorder({})), ("decides", Recorder({"choose_volume": 0.3}))
    )

    assert 0.3 == host.choose_volume(**hook_arguments["choose_volume"])


# -- order -----------------------------------------------------------------------------
def _marked(
    order: list[str], name: str, *, tryfirst: bool = False, trylast: bool = False
) -> object:
    class Observer:
        """Writes its name down."""

        @hookimpl(tryfirst=tryfirst, trylast=trylast)
        def on_started(self) -> None:
            order.append(name)

    return Observer()


def test_the_users_plugins_come_before_the_built_ins(
    hook_arguments: Arguments,
) -> None:
    """tryfirst, then the user's, then built-ins, then trylast; else as registered."""
    order: list[str] = []
    host = PluginHost()
    host.attach("b1", _marked(order, "b1"), BUILT_IN)
    host.attach("last", _marked(order, "last", trylast=True), ACME)
    host.attach("b0", _marked(order, "b0", tryfirst=True), BUILT_IN)
    host.attach("b2", _marked(order, "b2"), BUILT_IN)
    host.attach("u1", _marked(order, "u1"), ACME)
    host.attach("u2", _marked(order, "u2"), Source.path(__file__))  # type: ignore[arg-type]

    host.on_started(**hook_arguments["on_started"])

    assert ["b0", "u1", "u2", "b1", "b2", "last"] == order


def test_a_plugin_that_left_is_not_called(hook_arguments: Arguments) -> None:
    """Detaching takes hooks and failures along; doing it twice is no error."""
    leaving, staying = Recorder({"on_started": ValueError()}), Recorder({})
    host = _host(("leaving", leaving), ("staying", staying))
    host.on_started(**hook_arguments["on_started"])

    host.detach("leaving")
    host.detach("leaving")
    host.on_started(**hook_arguments["on_started"])

    started = [hook for hook, _ in leaving.calls if hook == "on_started"]
    assert ["on_started"] == started
    assert {} == host.failures
    assert {"staying": ACME} == host.plugins


def test_plugins_that_call_themselves_equal_are_told_apart(
    hook_arguments: Arguments,
) -> None:
    """A plugin may define equality as it likes, even without a hash."""

    @attrs.define
    class Guard:
        """All instances are equal."""

        @hookimpl
        def check_trading(self) -> Deny:
            return Deny("NO")

    host = _host(("one", Guard()), ("two", Guard()))

    denials = host.check_trading(**hook_arguments["check_trading"])

    assert ["one", "two"] == [denial.plugin for denial in denials]


def test_properties_of_a_plugin_are_not_looked_at() -> None:
    """Registering runs no code of the author's: a property may not be ready yet."""

    class Guard:
        """Has a property that raises."""

        @property
        def account(self) -> None:
            raise RuntimeError("unknown yet")

        @hookimpl
        def check_trading(self) -> None:
            return None

    host = _host(("guard", Guard()))

    assert ["guard"] == list(host.plugins)


def test_hooks_may_be_static_or_of_the_class(hook_arguments: Arguments) -> None:
    """Marked static methods and class methods are hooks, in either order of marks."""

    class Guard:
        """Three ways to write a hook."""

        @staticmethod
        @hookimpl
        def check_trading() -> Deny:
            return Deny("STATIC")

        @classmethod
        @hookimpl
        def check_symbol(cls) -> Deny:
            return Deny(cls.__name__)

        @hookimpl(specname="check_order")
        def look(self, intent: OrderIntent) -> Deny:
            return Deny(intent.symbol)

    host = _host(("guard", Guard()))

    codes = [
        _call(host, hook, hook_arguments)[0].deny.code
        for hook in ("check_trading", "check_symbol", "check_order")
    ]

    assert ["STATIC", "Guard", "XAUUSD"] == codes


def test_a_hook_of_a_later_version_may_be_marked_optional() -> None:
    """``optionalhook`` is for plugins that serve several versions."""

    class Future:
        """Implements one hook of today and one of tomorrow."""

        @hookimpl(optionalhook=True)
        def on_moon_landing(self) -> None:
            """Not called."""

        @hookimpl
        def on_started(self) -> None:
            """Called."""

    host = _host(("future", Future()))

    assert ["future"] == list(host.plugins)


# -- what is counted and said ----------------------------------------------------------
def test_failures_in_a_row_are_counted_and_cleared_by_a_success(
    hook_arguments: Arguments, caplog: pytest.LogCaptureFixture
) -> None:
    """The heartbeat shows the row; the log shows its beginning and its end."""
    caplog.set_level(logging.INFO, "mt5runner.host")
    plugin = Recorder({"on_started": ValueError("no")})
    host = _host(("plugin", plugin))

    for _ in range(3):
        host.on_started(**hook_arguments["on_started"])
    failing = dict(host.failures)
    plugin.answers = {}
    host.on_stopping(**hook_arguments["on_stopping"])
    after_another_hook = dict(host.failures)
    host.on_started(**hook_arguments["on_started"])

    row = "3 in a row, last at 2026-03-04T09:30:00Z"
    assert {"plugin": f"on_started: ValueError: no ({row})"} == failing
    assert failing == after_another_hook
    assert {} == host.failures
    assert 2 == len(caplog.records)
    first, last = (record.getMessage() for record in caplog.records)
    assert first.startswith("plugin failed in on_started: ValueError: no\n  File ")
    assert "in called" in first
    assert "pluggy" not in first
    assert "plugin works in on_started again, failures: 3" == last


def test_an_error_of_an_error_observer_is_told_to_nobody(
    hook_arguments: Arguments,
) -> None:
    """Failures of `on_plugin_error` are counted, and never answered by another call."""
    observer = Recorder({"on_plugin_error": ValueError("also broken")})
    failing = Recorder({"on_started": ValueError("no")})
    host = _host(("observer", observer), ("failing", failing))

    host.on_started(**hook_arguments["on_started"])

    told = [call for hook, call in observer.calls if hook == "on_plugin_error"]
    assert ["failing"] == [call["plugin"] for call in told]
    assert {"observer", "failing"} == set(host.failures)


def test_of_two_plugins_that_name_a_heartbeat_field_the_first_wins(
    hook_arguments: Arguments, caplog: pytest.LogCaptureFixture
) -> None:
    """The clash is logged once, not with every heartbeat."""
    host = _host(
        ("first", Recorder({"describe_status": {"a": "1", "b": "1"}})),
        ("second", Recorder({"describe_status": {"b": "2", "c": "2"}})),
        ("broken", Recorder({"describe_status": {"d": 4}})),
        ("silent", Recorder({})),
    )

    for _ in range(2):
        fields = host.describe_status(**hook_arguments["describe_status"])

    assert {"a": "1", "b": "1", "c": "2"} == fields
    clashes = [r.getMessage() for r in caplog.records if "left out" in r.getMessage()]
    assert ["heartbeat field b of second is left out: first has it already"] == clashes


# -- instances -------------------------------------------------------------------------
@attrs.frozen
class LimitSettings(PluginSettings):
    """Settings with one field."""

    limit: int = 3


class Limit(Plugin):
    """Has settings and state."""

    Settings = LimitSettings
    settings: LimitSettings

    @hookimpl
    def check_trading(self) -> Deny | None:
        """Deny with what it was given."""
        return Deny(f"LIMIT_{self.settings.limit}_{self.state.get('n')}")


def test_plugin_classes_are_made_with_their_settings_and_state(
    hook_arguments: Arguments, memory_state: Any
) -> None:
    """Each plugin gets its own settings class filled, and its own durable values."""
    memory_state.put("n", 7)
    asked: list[tuple[str, type[PluginSettings]]] = []

    def make_settings(name: str, cls: type[PluginSettings]) -> PluginSettings:
        asked.append((name, cls))
        return LimitSettings(limit=5)

    host = PluginHost()
    host.load(
        [PluginRecord(name="limit", source=ACME, hooks=("check_trading",), obj=Limit)],
        make_settings=make_settings,
        state_for={"limit": memory_state}.__getitem__,
    )

    assert [("limit", LimitSettings)] == asked
    assert [Denial("limit", Deny("LIMIT_5_7"))] == host.check_trading(
        **hook_arguments["check_trading"]
    )


def test_a_plugin_that_cannot_be_made_refuses_the_start(memory_state: Any) -> None:
    """An ``__init__`` that raises names the plugin and its source."""

    class Broken(Limit):
        """Cannot be made."""

        def __init__(self, *given: Any) -> None:
            raise OSError("no such file")

    record = PluginRecord(name="broken", source=ACME, hooks=(), obj=Broken)

    with pytest.raises(PluginError) as caught:
        PluginHost().load(
            [record],
            make_settings=lambda name, cls: cls(),
            state_for=lambda name: memory_state,
        )

    assert (
        "broken (acme 1.0): making it from settings and state raised OSError: no such "
        "file; correct its __init__ or its settings"
    ) == str(caught.value)
