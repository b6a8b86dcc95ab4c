"""Random histories of keys, answers and outages: what holds in every one of them."""

from __future__ import annotations

import math

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from runner.core.config_flow import (
    ApiKeyChanged,
    Applied,
    Backoff,
    BodyCame,
    ConfigFlow,
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
    Regime,
    Restore,
    Restored,
    Stage,
    Tick,
    Trouble,
    Unauthorized,
    step,
)

draws = st.floats(0.0, 1.0, exclude_max=True)


def body(version: int) -> BodyCame:
    """The body of a version; every seventh cannot be applied."""
    identity = Identity(version=version, versioned=f"v{version}", content=f"c{version}")
    return BodyCame(identity, ("$.x: wrong",) if version % 7 == 0 else ())


class World(RuleBasedStateMachine):
    """A server, its lagging replicas, its Redis, a loop and a flow between them."""

    def __init__(self) -> None:
        super().__init__()
        self.flow = ConfigFlow()
        self.now = 0.0
        self.truth = 5
        self.outstanding = False
        self.asked_under: int | None = None
        self.allowed_at = -math.inf
        self.staged: list[int] = []
        self.draw = 0.0

    def feed(self, event: Event) -> None:
        before = self.flow
        self.flow, commands = step(self.flow, event, now=self.now, draw=self.draw)
        for command in commands:
            match command:
                case Fetch():
                    assert not self.outstanding, "two requests at once"
                    assert self.now >= self.allowed_at, "asked against the back-off"
                    self.outstanding = True
                    self.asked_under = self.flow.key
                case Stage(identity):
                    assert isinstance(event, BodyCame)
                    assert identity.version is not None
                    if before.asked_under is not None:
                        assert identity.version >= before.asked_under, "stale"
                    assert identity.version % 7, "a body with errors was staged"
                    self.staged.append(identity.version)
                case Refuse(identity, errors):
                    assert errors
                    assert identity != before.refused, "reported twice"
                case Keep(identity):
                    assert identity == self.flow.applied
                case Restore():
                    assert before.current is None
                    self.staged.append(1)
                    self.feed(Restored(body(1).identity))
                case _:
                    pass

    @initialize(draw=draws, key=st.sampled_from([None, 5, "away"]))
    def start(self, draw: float, key: object) -> None:
        self.draw = draw
        self.feed(KeyUnknown() if key == "away" else KeySeen(5 if key else None))

    # -- the world moves ---------------------------------------------------------------
    @rule(draw=draws)
    def other_draws(self, draw: float) -> None:
        self.draw = draw

    @rule(step_=st.sampled_from([1, 1, 2, 3, -2]))
    def server_publishes(self, step_: int) -> None:
        """A change, or (a negative step) a restored backup, with its key."""
        self.truth = max(1, self.truth + step_)
        self.relax_for_key(self.truth)

    @rule(step_=st.sampled_from([1, -2]))
    def server_changes_and_its_key_does_not_follow(self, step_: int) -> None:
        self.truth = max(1, self.truth + step_)

    @rule(lag=st.integers(0, 3))
    def key_is_seen(self, lag: int) -> None:
        self.relax_for_key(max(1, self.truth - lag))

    @rule(event=st.sampled_from([KeySeen(None), KeyUnknown()]))
    def no_key_is_seen(self, event: Event) -> None:
        self.feed(event)

    @rule(seconds=st.floats(0.0, 100.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        self.feed(Tick())

    @precondition(lambda self: self.flow.trouble is Trouble.UNAUTHORIZED)
    @rule()
    def api_key_changes(self) -> None:
        self.allowed_at = -math.inf
        self.feed(ApiKeyChanged())

    # -- the server answers ------------------------------------------------------------
    @precondition(lambda self: self.outstanding or self.flow.due_at < math.inf)
    @rule(lag=st.integers(0, 3))
    def a_body_comes(self, lag: int) -> None:
        self.be_asked()
        self.answer(body(max(1, self.truth - lag)))

    @precondition(lambda self: self.outstanding or self.flow.due_at < math.inf)
    @rule(answer=st.sampled_from([Fault(), Fault(90.0), Unauthorized(), NotFound()]))
    def no_body_comes(self, answer: Event) -> None:
        self.be_asked()
        self.answer(answer)

    # -- the loop answers --------------------------------------------------------------
    @precondition(lambda self: self.flow.offered)
    @rule()
    def loop_applies_the_newest(self) -> None:
        newest = self.flow.offered[-1]
        assert newest.version is not None
        self.feed(Applied(newest.version))
        assert newest == self.flow.applied

    @precondition(lambda self: self.flow.offered)
    @rule()
    def loop_refuses_the_newest(self) -> None:
        newest = self.flow.offered[-1]
        assert newest.version is not None
        self.feed(Refused(newest.version))
        assert newest not in self.flow.offered

    # -- what holds --------------------------------------------------------------------
    @invariant()
    def only_what_was_staged_trades(self) -> None:
        for identity in (self.flow.applied, *self.flow.offered):
            assert identity is None or identity.version in self.staged

    @invariant()
    def a_request_is_outstanding_or_planned_when_one_is_owed(self) -> None:
        if self.flow.owed:
            assert self.outstanding or self.flow.due_at < math.inf

    def teardown(self) -> None:
        """Whatever happened: once the world is well, the truth trades, in silence."""
        self.now += 10_000.0
        if self.truth % 7 == 0:
            self.truth += 1
        if self.outstanding:
            self.answer(Fault())
        # A version that the loop refused once stays refused; the next one is taken.
        if self.flow.refused is not None and self.flow.refused.version == self.truth:
            self.truth += 1 if (self.truth + 1) % 7 else 2
        self.relax_for_key(self.truth)
        for _ in range(50):
            if self.flow.due_at < math.inf or self.outstanding:
                self.be_asked()
                self.answer(body(self.truth))
        while self.flow.offered:
            self.loop_applies_the_newest()
        self.feed(KeySeen(self.truth))

        assert self.flow.applied is not None
        assert self.truth == self.flow.applied.version
        assert self.flow.is_settled
        assert math.inf == self.flow.due_at

    # -- helpers -----------------------------------------------------------------------
    def be_asked(self) -> None:
        if not self.outstanding:
            self.now = max(self.now, self.flow.due_at)
            self.feed(Tick())
        assert self.outstanding

    def relax_for_key(self, version: int) -> None:
        if self.flow.trouble is Trouble.NOT_FOUND:
            self.allowed_at = -math.inf
        self.feed(KeySeen(version))

    def answer(self, event: Event) -> None:
        self.outstanding = False
        self.allowed_at = -math.inf
        self.feed(event)
        if self.flow.trouble is not Trouble.NONE:
            assert not self.outstanding, "asked again without a pause"
            shortest = self.flow.backoff.delay(0.0)
            self.allowed_at = self.now + shortest


World.TestCase.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
TestWorld = World.TestCase


def test_delays_stay_within_their_bounds() -> None:
    """A delay lies in [d/2, d), whatever the draw and the number of failures."""
    regime = Regime(1.0, 60.0)
    backoff = Backoff(regime)
    for failures in range(1, 2000):
        backoff = backoff.failed(regime)
        longest = min(2.0 ** (failures - 1), 60.0) if failures < 100 else 60.0

        assert longest / 2 == backoff.delay(0.0)
        assert longest / 2 <= backoff.delay(0.999) < longest
