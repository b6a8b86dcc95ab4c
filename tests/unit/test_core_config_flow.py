"""Every rule of how one config reaches the runner, over values."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from runner.core.config_flow import (
    RETRY,
    SLOW,
    ApiKeyChanged,
    Applied,
    Backoff,
    BodyCame,
    Command,
    ConfigFlow,
    Confirm,
    Event,
    Fault,
    Fetch,
    Identity,
    Keep,
    KeySeen,
    KeyUnknown,
    NotFound,
    Refuse,
    Refused,
    Restore,
    Restored,
    Stage,
    Tick,
    Timing,
    Trouble,
    Unauthorized,
    step,
)


def config(version: int | None, content: str = "a", extra: str = "") -> Identity:
    """The identity of a body; *content* is what raises versions, *extra* is not."""
    return Identity(version=version, versioned=content, content=content + extra)


class Run:
    """A flow that is fed one event after another."""

    def __init__(self, flow: ConfigFlow | None = None, draw: float = 0.0) -> None:
        self.flow = flow or ConfigFlow()
        self.now = 0.0
        self.draw = draw

    def feed(self, event: Event) -> Sequence[Command]:
        self.flow, commands = step(self.flow, event, now=self.now, draw=self.draw)
        return commands

    def body(self, version: int, content: str = "a", extra: str = "") -> list[Command]:
        return list(self.feed(BodyCame(config(version, content, extra))))

    def run(self, version: int, content: str = "a") -> None:
        """Bring *version* to trading, under a key that announces it."""
        self.feed(KeySeen(version))
        self.body(version, content)
        self.feed(Applied(version))

    def wait_for_fetch(self) -> float:
        """Let time pass until the next Fetch, and return how long that took."""
        due = self.flow.due_at
        assert due < math.inf, "nothing will ever be asked"
        waited = due - self.now
        self.now = due
        assert (Fetch(),) == self.feed(Tick())
        return waited


def test_boot_fresh() -> None:
    """Scenario boot-fresh: one fetch, staged, kept once it is applied."""
    run = Run()

    assert (Fetch(),) == run.feed(KeySeen(1))
    assert [Stage(config(1))] == run.body(1)
    assert (Keep(config(1)),) == run.feed(Applied(1))
    assert math.inf == run.flow.due_at


def test_a_server_without_version_keys_is_asked_at_the_start() -> None:
    """A config is fetched at the start even where no key announces it."""
    run = Run()

    assert (Fetch(),) == run.feed(KeySeen(None))
    assert [Stage(config(1))] == run.body(1)


def test_version_higher() -> None:
    """Scenario version-higher: a higher key fetches once and its body is staged."""
    run = Run()
    run.run(5)

    assert (Fetch(),) == run.feed(KeySeen(6))
    assert [Stage(config(6, "b"))] == run.body(6, "b")


def test_version_same_or_lower_hint() -> None:
    """Scenario version-same-or-lower-hint: one GET at most for a key that went back."""
    run = Run(draw=0.5)
    run.run(5)

    assert () == run.feed(KeySeen(5))
    assert (Fetch(),) == run.feed(KeySeen(4))
    assert [Confirm()] == run.body(5)
    assert () == run.feed(KeySeen(4))
    assert () == run.feed(KeySeen(5))


def test_a_key_that_stays_behind_is_asked_about_at_the_slow_rate() -> None:
    """A server may be restored to just the version that its key still announces."""
    run = Run(draw=0.5)
    run.feed(KeySeen(1))
    run.body(2)
    run.feed(Applied(2))

    assert () == run.feed(KeySeen(1))
    assert 300.0 == run.wait_for_fetch()
    assert [Stage(config(1))] == run.body(1)
    run.feed(Applied(1))
    run.feed(KeySeen(1))
    assert math.inf == run.flow.due_at


def test_a_server_restored_from_a_backup_may_go_back() -> None:
    """Changed means another one: a lower version is applied when its key says it."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(3))

    assert [Stage(config(3, "b"))] == run.body(3, "b")


def test_lower_body() -> None:
    """Scenario lower-body: a body older than its key is stale; nothing is applied."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(6))

    assert [] == run.body(4, "b")
    assert Trouble.STALE is run.flow.trouble
    assert [0.5, 1.0, 2.0] == [
        (run.wait_for_fetch(), run.body(4, "b"))[0] for _ in range(3)
    ]
    assert config(5) == run.flow.current


def test_replica_lag() -> None:
    """Scenario replica-lag: asks again with back-off until the body has caught up."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(7))

    assert [] == run.body(6, "b")
    run.wait_for_fetch()
    assert [] == run.body(6, "b")
    run.wait_for_fetch()
    assert [Stage(config(7, "c"))] == run.body(7, "c")
    assert Trouble.NONE is run.flow.trouble


def test_without_a_config_a_key_that_stays_behind_a_refused_body_is_asked_about() -> (
    None
):
    """What was refused is newer than the key; what the key announces never came."""
    run = Run(draw=0.5)
    run.feed(KeySeen(12))
    run.feed(BodyCame(config(14), ("$.x: wrong",)))
    assert math.inf == run.flow.due_at

    run.feed(KeySeen(12))

    assert run.flow.timing.missing / 2 == run.wait_for_fetch()
    assert [Stage(config(12))] == run.body(12)


def test_a_body_newer_than_its_key_settles_the_key_that_follows() -> None:
    """What is applied is the body's version, and its key is not asked for again."""
    run = Run(draw=0.5)
    run.run(5)
    run.feed(KeySeen(6))
    run.body(7, "c")

    assert () == run.feed(KeySeen(7))
    assert () == run.feed(KeySeen(7))


def test_version_reused() -> None:
    """Scenario version-reused: our version with other content is refused once."""
    run = Run()
    run.run(5, "a")
    run.feed(KeySeen(4))

    commands = run.body(5, "b")

    assert [Refuse] == [type(command) for command in commands]
    assert isinstance(commands[0], Refuse)
    assert ("$.version: VERSION_REUSED: 5 came with other content",) == (
        commands[0].errors
    )
    assert config(5, "a") == run.flow.current


def test_fields_that_raise_no_version_are_applied_under_the_same_version() -> None:
    """The seed's server changes some fields without a new version; they count."""
    run = Run(draw=0.5)
    run.run(5)
    run.feed(KeyUnknown())
    run.wait_for_fetch()

    assert [Stage(config(5, "a", "x"))] == run.body(5, "a", "x")


def test_two_of_one_version_never_wait_for_the_loop_together() -> None:
    """The loop names what it answers for by version, so one waits for the other."""
    run = Run(draw=0.5)
    run.feed(KeyUnknown())
    run.body(5)
    run.wait_for_fetch()

    assert [] == run.body(5, "a", "x")
    run.feed(Applied(5))
    run.wait_for_fetch()
    assert [Stage(config(5, "a", "x"))] == run.body(5, "a", "x")


def test_hint_missing() -> None:
    """Scenario hint-missing: a missing key asks at the slow rate, spread over it."""
    run = Run(draw=0.25)
    run.run(5)

    assert () == run.feed(KeySeen(None))
    assert 150.0 == run.wait_for_fetch()
    assert [Confirm()] == run.body(5)
    assert pytest.approx(600 * 0.95) == run.wait_for_fetch()
    run.body(5)
    assert () == run.feed(KeySeen(5))
    assert math.inf == run.flow.due_at


def test_a_missing_key_is_not_forgotten() -> None:
    """What a key once announced still judges a body after the key has expired."""
    run = Run(draw=0.5)
    run.run(5)
    run.feed(KeySeen(None))
    run.wait_for_fetch()

    assert [] == run.body(4, "b")
    assert Trouble.STALE is run.flow.trouble


def test_without_any_key_a_lower_version_must_be_repeated() -> None:
    """A lagging replica is told from a restored server by asking three times."""
    run = Run()
    run.feed(KeyUnknown())
    run.body(5)
    run.feed(Applied(5))
    run.wait_for_fetch()

    assert [] == run.body(4, "b")
    assert 0.5 == run.wait_for_fetch()
    assert [] == run.body(4, "b")
    assert 1.0 == run.wait_for_fetch()
    assert [Stage(config(4, "b"))] == run.body(4, "b")


def test_without_any_key_one_stale_answer_changes_nothing() -> None:
    """A single lower body between two good ones is forgotten."""
    run = Run(draw=0.5)
    run.feed(KeyUnknown())
    run.body(5)
    run.feed(Applied(5))

    for _ in range(4):
        run.wait_for_fetch()
        assert [] == run.body(4, "b")
        run.wait_for_fetch()
        assert [Confirm()] == run.body(5)


def test_redis_away_polls_the_api() -> None:
    """Without Redis the API is asked at the poll interval, the first time anywhere."""
    run = Run(draw=0.5)
    run.run(5)
    run.feed(KeyUnknown())

    assert 30.0 == run.wait_for_fetch()
    run.body(5)
    assert () == run.feed(KeyUnknown())
    assert pytest.approx(60.0) == run.wait_for_fetch()
    run.body(5)
    run.feed(KeySeen(5))
    assert math.inf == run.flow.due_at


def test_fetch_after_failed_hint() -> None:
    """Scenario fetch-after-failed-hint: a failed fetch does not settle its key."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(6))
    for _ in range(3):
        assert () == run.feed(Fault())
        run.wait_for_fetch()

    assert [Stage(config(6))] == run.body(6)


def test_single_flight() -> None:
    """Scenario single-flight: keys during a fetch make one fetch after it."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(6))
    for version in (7, 8, 9):
        assert () == run.feed(KeySeen(version))
    assert () == run.feed(Tick())

    assert [Stage(config(6, "b")), Fetch()] == run.body(6, "b")
    assert [Stage(config(9, "e"))] == run.body(9, "e")
    assert math.inf == run.flow.due_at


def test_a_key_that_changed_to_what_came_is_settled() -> None:
    """A key that changed under way to the version that came is not asked for."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(6))
    run.feed(KeySeen(7))

    assert [Stage(config(7))] == run.body(7)


def test_nack_no_loop() -> None:
    """Scenario nack-no-loop: a refused version is not fetched until the key changes."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(6))
    bad = BodyCame(config(6, "bad"), ("$.x: wrong",))

    assert (Refuse(config(6, "bad"), ("$.x: wrong",)),) == run.feed(bad)
    for _ in range(20):
        assert () == run.feed(KeySeen(6))
        assert () == run.feed(Tick())
    assert (Fetch(),) == run.feed(KeySeen(7))
    assert [Stage(config(7))] == run.body(7)


def test_a_refused_body_is_reported_once() -> None:
    """While Redis is away the refused body comes again and again, and is not news."""
    run = Run()
    run.feed(KeyUnknown())
    bad = BodyCame(config(6, "bad"), ("$.x: wrong",))
    run.feed(bad)
    run.wait_for_fetch()

    assert () == run.feed(bad)
    run.wait_for_fetch()
    assert [Stage(config(6, "good"))] == run.body(6, "good")


def test_a_version_that_the_loop_refused_is_not_staged_again() -> None:
    """What could not be applied once is not tried until another body comes."""
    run = Run(draw=0.5)
    run.run(5)
    run.feed(KeyUnknown())
    run.wait_for_fetch()
    run.body(6)
    run.feed(Refused(6))
    run.wait_for_fetch()

    assert [] == run.body(6)
    assert config(5) == run.flow.current


def test_a_key_that_returns_to_what_we_have_ends_the_refusal() -> None:
    """A server that takes a bad version back is in agreement with us again."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(6))
    run.feed(BodyCame(config(6, "bad"), ("$.x: wrong",)))

    run.feed(KeySeen(5))

    assert run.flow.refused is None


def test_a_body_without_readable_version_is_refused() -> None:
    """A body whose version cannot be read is refused, not taken for an old one."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(6))
    bad = BodyCame(config(None), ("$.version: missing",))

    assert (Refuse(config(None), ("$.version: missing",)),) == run.feed(bad)


@pytest.mark.parametrize(
    ("failure", "delays"),
    [
        (Fault(), [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0]),
        (Unauthorized(), [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0]),
        (NotFound(), [30.0, 60.0, 120.0, 240.0, 480.0, 900.0, 900.0]),
    ],
)
def test_backoff(failure: Event, delays: list[float]) -> None:
    """Scenario backoff: delays double from their first to their longest and stay."""
    run = Run()
    run.feed(KeySeen(1))
    waited: list[float] = []
    for _ in delays:
        run.feed(failure)
        waited.append(run.wait_for_fetch())

    assert delays == waited


def test_backoff_is_forgotten_after_two_successes() -> None:
    """One success does not reset the delays, two in a row do."""
    run = Run()
    run.feed(KeyUnknown())
    for _ in range(4):
        run.feed(Fault())
        run.wait_for_fetch()
    run.body(1)
    run.wait_for_fetch()
    run.feed(Fault())
    assert 8.0 == run.wait_for_fetch()
    run.body(1)
    run.wait_for_fetch()
    run.body(1)
    run.wait_for_fetch()
    run.feed(Fault())
    assert 0.5 == run.wait_for_fetch()


def test_retry_after_is_a_floor() -> None:
    """Nothing is asked before the time that the server wished for."""
    for draw in (0.0, 0.5, 0.999):
        run = Run(draw=draw)
        run.feed(KeySeen(1))
        run.feed(Fault(retry_after=5.0))

        assert 5.0 <= run.wait_for_fetch() < 6.25


def test_a_new_version_does_not_shorten_the_backoff() -> None:
    """A fleet that is told of a new version must not storm a server that is down."""
    run = Run(draw=0.5)
    run.run(5)
    run.feed(KeySeen(6))
    for _ in range(5):
        run.feed(Fault())
        run.wait_for_fetch()
    run.feed(Fault())

    due = run.flow.due_at
    assert () == run.feed(KeySeen(7))
    assert due == run.flow.due_at > run.now


def test_unauthorized_keeps_what_is_applied() -> None:
    """Scenario unauthorized: slow, never for good, at once with another API key."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(6))
    assert () == run.feed(Unauthorized())
    assert () == run.feed(KeySeen(7))
    assert run.now + 30.0 == run.flow.due_at

    assert (Fetch(),) == run.feed(ApiKeyChanged())
    assert [Stage(config(7))] == run.body(7)
    assert config(5) == run.flow.applied


def test_a_changed_api_key_asks_only_where_the_old_one_failed() -> None:
    """Another API key is no reason to fetch what is known."""
    run = Run()
    run.run(5)

    assert () == run.feed(ApiKeyChanged())


def test_not_found_is_asked_again_when_its_key_changes() -> None:
    """A strategy that is created after we asked is seen by its key."""
    run = Run()
    run.feed(KeySeen(None))
    run.feed(NotFound())
    assert Trouble.NOT_FOUND is run.flow.trouble

    assert (Fetch(),) == run.feed(KeySeen(1))


@pytest.mark.parametrize("failure", [Fault(), Unauthorized()])
def test_boot_lkg_offline(failure: Event) -> None:
    """Scenario boot-lkg-offline: the disk is tried once, and asking goes on."""
    run = Run()
    run.feed(KeyUnknown())

    assert (Restore(),) == run.feed(failure)
    run.feed(Restored(config(3)))
    run.feed(Applied(3))
    run.wait_for_fetch()
    assert () == run.feed(failure)
    run.wait_for_fetch()
    assert [Stage(config(4))] == run.body(4)


def test_what_the_server_does_not_know_is_not_started_from_disk() -> None:
    """404 at a start starts nothing, also not after an outage that follows it."""
    run = Run()
    run.feed(KeySeen(1))

    assert () == run.feed(NotFound())
    run.wait_for_fetch()
    assert () == run.feed(Fault())


def test_a_refused_body_at_the_start_falls_back_to_the_disk() -> None:
    """The last applied one goes on, also when the bad one comes with a start."""
    run = Run()
    run.feed(KeySeen(6))

    commands = run.feed(BodyCame(config(6, "bad"), ("$.x: wrong",)))

    assert (Refuse(config(6, "bad"), ("$.x: wrong",)), Restore()) == commands


def test_what_comes_from_disk_is_not_taken_for_confirmed() -> None:
    """A restored config goes on being asked for until the server has answered."""
    run = Run()
    run.feed(KeySeen(3))
    run.feed(Fault())
    run.feed(Restored(config(3)))
    run.feed(Applied(3))

    run.wait_for_fetch()
    assert [Confirm()] == run.body(3)
    assert math.inf == run.flow.due_at


def test_the_servers_word_counts_more_than_our_disk() -> None:
    """A server whose numbers began again may have our number for something else."""
    run = Run()
    run.feed(KeySeen(3))
    run.feed(Fault())
    run.feed(Restored(config(3, "old")))
    run.feed(Applied(3))
    run.wait_for_fetch()

    assert [Stage(config(3, "new"))] == run.body(3, "new")
    run.feed(Applied(3))
    run.feed(KeySeen(2))
    assert [Refuse] == [type(command) for command in run.body(3, "newer")]


def test_a_server_that_counts_in_redis_alone_may_begin_again() -> None:
    """Its key has expired, its number is low, its content ours: in agreement."""
    run = Run(draw=0.5)
    run.run(5)
    run.feed(KeySeen(None))
    run.wait_for_fetch()

    assert [Confirm()] == run.body(1)
    assert config(5) == run.flow.current
    assert (Fetch(),) == run.feed(KeySeen(2))
    assert [Stage(config(2, "b"))] == run.body(2, "b")


def test_our_content_under_an_older_number_is_stale_while_a_key_is_there() -> None:
    """A replica that lags does not settle the version that is announced."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(7))

    assert [] == run.body(6)
    assert Trouble.STALE is run.flow.trouble


def test_a_restored_config_gives_way_to_one_that_came_first() -> None:
    """A config from disk does not replace one from the server."""
    run = Run()
    run.run(5)

    run.feed(Restored(config(3)))

    assert config(5) == run.flow.current


def test_the_newest_replaces_what_waits() -> None:
    """A version that waits for the safe point gives way; either may be applied."""
    run = Run()
    run.run(5)
    run.feed(KeySeen(6))
    run.body(6)
    run.feed(KeySeen(7))
    run.body(7)

    assert (Keep(config(6)),) == run.feed(Applied(6))
    assert config(7) == run.flow.current
    assert (Keep(config(7)),) == run.feed(Applied(7))
    assert () == run.flow.offered


def test_a_version_that_comes_back_is_waited_for_once() -> None:
    """A server that goes back and forth leaves one offer of each version."""
    run = Run(draw=0.5)
    for version in (5, 4, 5):
        run.feed(KeySeen(version))
        run.body(version)

    assert [config(4), config(5)] == list(run.flow.offered)
    run.feed(Applied(5))
    assert [] == list(run.flow.offered)


def test_applying_the_newest_forgets_the_older_ones() -> None:
    """What was overtaken is not waited for."""
    run = Run()
    run.feed(KeySeen(6))
    run.body(6)
    run.feed(KeySeen(7))
    run.body(7)
    run.feed(Applied(7))

    with pytest.raises(LookupError, match="version 6 is not staged"):
        run.feed(Applied(6))


def test_an_answer_for_what_was_not_offered_is_an_error() -> None:
    """The loop cannot apply or refuse what it never got."""
    run = Run()

    for event in (Applied(1), Refused(1)):
        with pytest.raises(LookupError, match="version 1 is not staged"):
            run.feed(event)


def test_intervals_are_settings() -> None:
    """The flow has no interval of its own."""
    run = Run(ConfigFlow(timing=Timing(poll=2.0, missing=4.0)), draw=0.5)
    run.run(1)
    run.feed(KeyUnknown())
    assert 1.0 == run.wait_for_fetch()
    run.body(1)
    run.feed(KeySeen(None))
    assert 2.0 == run.wait_for_fetch()


def test_another_regime_starts_at_its_own_beginning() -> None:
    """Failures of one kind do not lengthen the delays of the other."""
    backoff = Backoff(RETRY)
    for _ in range(9):
        backoff = backoff.failed(RETRY)

    assert 30.0 == backoff.delay(0.0)
    assert 30.0 == backoff.failed(SLOW).delay(0.0)
    assert 0.5 == backoff.failed(SLOW).failed(RETRY).delay(0.0)


def ask_until(run: Run, until: float, answer: Callable[[float], Event]) -> list[float]:
    """Let time pass; every question is answered; return when they were asked."""
    asked: list[float] = []
    while run.now < until:
        if run.flow.fetching:
            asked.append(run.now)
            run.feed(answer(run.now))
        elif run.flow.due_at < math.inf:
            run.now = run.flow.due_at
            run.feed(Tick())
        else:
            break
    return asked


@pytest.mark.parametrize("outage", ["api", "redis", "flush"])
def test_a_fleet_never_storms_the_server(outage: str) -> None:
    """Degraded modes: when everything returns at once, the API sees no spike.

    The steady rate is that of polling: each bot once a minute. No second may see more
    than ten times as much.
    """
    bots, rng = 1000, random.Random(7)
    asked: Counter[int] = Counter()
    for _ in range(bots):
        run = Run(draw=rng.random())
        run.run(5)
        if outage == "api":
            run.now = 60.0 * rng.random()  # each bot looks in its own minute
            run.feed(KeySeen(6))
        else:
            run.feed(KeyUnknown() if outage == "redis" else KeySeen(None))

        def answer(now: float) -> Event:
            run.draw = rng.random()  # noqa: B023 - called in this turn
            if outage == "api":
                return Fault() if now < 600.0 else BodyCame(config(6))
            return BodyCame(config(5))

        asked.update(int(moment) for moment in ask_until(run, 900.0, answer))

    steady = bots / 60.0
    assert sum(asked.values()) >= bots
    assert max(asked.values()) <= 10 * steady
