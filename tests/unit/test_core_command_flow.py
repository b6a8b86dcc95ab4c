"""Which command is obeyed, whatever order the two levels are seen in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.core.command_flow import Act, CommandFlow, Persist, Receive, step
from runner.wire.commands import Command, CommandAction

RUN, PAUSE, FLATTEN, STOP = CommandAction


def command(action: CommandAction, seq: int) -> Command:
    """A command of some level."""
    return Command(action=action, seq=seq)


def test_a_command_is_on_disk_before_it_is_acted_on() -> None:
    """Persist comes before Receive and Act, so a stopped bot restarts stopped."""
    stop = command(STOP, 5)

    flow, outputs = step(CommandFlow(), stop, None)

    assert CommandFlow(account=stop) == flow
    assert (Persist(flow), Receive(stop), Act(stop)) == outputs


def test_the_same_command_is_acted_on_once() -> None:
    """A server that asserts its command again and again causes nothing more."""
    flow, _ = step(CommandFlow(), command(STOP, 5), None)

    assert (flow, ()) == step(flow, command(STOP, 5), None)


def test_an_older_command_is_ignored() -> None:
    """Scenario seq-and-most-restrictive: a RUN that comes late does not lift a stop."""
    flow, _ = step(CommandFlow(), command(STOP, 5), None)

    assert (flow, ()) == step(flow, command(RUN, 4), None)


def test_a_vanished_command_goes_on_being_obeyed() -> None:
    """No information is not permission."""
    flow, _ = step(CommandFlow(), command(STOP, 5), command(PAUSE, 3))

    assert (flow, ()) == step(flow, None, None)


def test_the_stricter_level_is_obeyed() -> None:
    """Scenario seq-and-most-restrictive: a RUN of the account leaves the fleet's pause.

    It is received all the same, so that the server need not repeat it.
    """
    flow, _ = step(CommandFlow(), command(STOP, 5), command(PAUSE, 3))
    run = command(RUN, 6)

    flow, outputs = step(flow, run, None)

    assert (Persist(flow), Receive(run), Act(command(PAUSE, 3))) == outputs
    assert command(PAUSE, 3) == flow.obeyed


def test_a_milder_command_of_the_other_level_changes_nothing() -> None:
    """What is not obeyed is received and kept, and not acted on."""
    flow, _ = step(CommandFlow(), command(STOP, 5), None)
    pause = command(PAUSE, 6)

    flow, outputs = step(flow, None, pause)

    assert (Persist(flow), Receive(pause)) == outputs


commands = (
    st.builds(command, st.sampled_from(list(CommandAction)), st.integers(1, 9))
    | st.none()
)


@given(st.lists(st.tuples(commands, commands), max_size=20))
def test_the_order_of_sightings_does_not_matter(
    seen: list[tuple[Command | None, Command | None]],
) -> None:
    """Highest seq per level, stricter of both: whatever was seen, in any order."""
    # A server gives each number once; which command has it is told by the number.
    fixed = [
        tuple(one and command(list(CommandAction)[one.seq % 4], one.seq) for one in two)
        for two in seen
    ]
    flow = CommandFlow()
    for account, fleet in fixed:
        flow, _ = step(flow, account, fleet)

    for level, kept in ((0, flow.account), (1, flow.fleet)):
        numbers = [one.seq for two in fixed if (one := two[level]) is not None]
        assert max(numbers, default=None) == (kept.seq if kept else None)
    ranks = [one.action.strictness for one in (flow.account, flow.fleet) if one]
    obeyed = flow.obeyed
    assert max(ranks, default=None) == (obeyed.action.strictness if obeyed else None)
