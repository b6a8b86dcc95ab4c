from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.wire import documents, keys
from runner.wire.acks import (
    TRADE_FIELD,
    CommandAck,
    CommandState,
    ConfigAck,
    ConfigState,
    command_field,
    strategy_field,
)
from runner.wire.commands import (
    Command,
    CommandAction,
    commands_body,
    effective,
    newest,
    read_commands_body,
)
from runner.wire.encoding import WireError
from runner.wire.events import MAX_SPREAD_MS, WakeUp, WakeUpType
from runner.wire.heartbeat import (
    BOT_EXTENSION_FIELDS,
    BOT_FIELDS,
    SERVER_FIELDS,
    BotHeartbeat,
    ServerHeartbeat,
)

ROOT = Path(__file__).parents[2]
NOW = datetime(2025, 12, 20, 10, 30, tzinfo=UTC)


def sample(name: str) -> Any:
    """Return the parsed sample *name* of tests/data/wire."""
    return json.loads((ROOT / f"tests/data/wire/{name}.json").read_text("utf-8"))


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
counts = st.integers(min_value=0, max_value=10**9)
amounts = st.decimals(-(10**9), 10**9, places=4)
times = st.datetimes(timezones=st.just(UTC)).filter(lambda t: t.year > 1)


def optional(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return *strategy* or None."""
    return st.none() | strategy


bot_heartbeats = st.builds(
    BotHeartbeat,
    mt5_account_id=texts,
    timestamp=times,
    bot_status=st.sampled_from(documents.BotStatus),
    current_balance=amounts,
    peak_balance=amounts,
    dd_blocked=st.booleans(),
    dd_block_reason=optional(texts),
    last_seen=times,
    session=optional(texts),
    epoch=optional(counts),
    host=optional(texts),
    pid=optional(counts),
    runner_version=optional(texts),
    trading_state=optional(texts),
    pause_reasons=optional(st.lists(texts).map(tuple)),
    equity=optional(amounts),
    open_positions=optional(counts),
    daily_dd_percent=optional(amounts),
    max_dd_percent=optional(amounts),
    trade_config_version=optional(counts),
    strategy_versions=optional(st.dictionaries(counts, counts)),
    config_errors=optional(st.lists(texts).map(tuple)),
    config_age_s=optional(counts),
    last_tick=optional(times),
    loop_lag_ms=optional(counts),
    news=optional(st.dictionaries(texts, texts)),
)
commands = st.builds(
    Command,
    action=st.sampled_from(CommandAction),
    seq=counts,
    issued_at=optional(times),
    issued_by=st.text(),
    reason=st.text(),
)


@given(bot_heartbeats)
def test_bot_heartbeats_round_trip(heartbeat: Any) -> None:
    """Every field of a bot's heartbeat comes back as it was."""
    assert heartbeat == BotHeartbeat.from_hash(heartbeat.to_hash())


@given(
    st.builds(
        ServerHeartbeat,
        bot_status=optional(texts),
        account_status=optional(texts),
        subscription_status=optional(texts),
        dd_blocked=optional(st.booleans()),
        dd_block_reason=optional(texts),
        last_update=optional(times),
    )
)
def test_server_heartbeats_round_trip(heartbeat: Any) -> None:
    """Every field of a server's heartbeat comes back as it was."""
    assert heartbeat == ServerHeartbeat.from_hash(heartbeat.to_hash())


@given(commands)
def test_commands_round_trip(command: Command) -> None:
    """A command comes back from its hash and from its JSON."""
    document = json.loads(json.dumps(command.to_document()))

    assert command == Command.from_hash(command.to_hash())
    assert command == Command.from_document(document)


@given(optional(commands), optional(commands))
def test_commands_body_round_trips(
    account: Command | None, fleet: Command | None
) -> None:
    """Both levels come back from the REST body."""
    body = json.loads(json.dumps(commands_body(account, fleet)))

    assert (account, fleet) == read_commands_body(body)


@given(
    st.builds(
        ConfigAck,
        version=counts,
        state=st.sampled_from(ConfigState),
        errors=st.lists(texts).map(tuple),
        warnings=st.lists(texts).map(tuple),
        at=times,
        epoch=optional(counts),
    )
)
def test_config_acks_round_trip(ack: Any) -> None:
    """A config acknowledgement comes back as it was."""
    assert ack == ConfigAck.from_json(ack.to_json())


@given(
    st.builds(
        CommandAck,
        seq=counts,
        state=st.sampled_from(CommandState),
        open_positions=optional(counts),
        open_orders=optional(counts),
        errors=st.lists(texts).map(tuple),
        at=times,
        epoch=optional(counts),
    )
)
def test_command_acks_round_trip(ack: Any) -> None:
    """A command acknowledgement comes back as it was."""
    assert ack == CommandAck.from_json(ack.to_json())


@given(
    st.builds(
        WakeUp,
        type=st.sampled_from(WakeUpType),
        account=optional(texts),
        strategy_id=optional(counts),
        version=optional(counts),
        spread_ms=st.integers(0, MAX_SPREAD_MS),
    )
)
def test_wake_ups_round_trip(wake_up: WakeUp) -> None:
    """A wake-up comes back as it was."""
    assert wake_up == WakeUp.from_json(wake_up.to_json())


@given(st.text() | st.binary())
def test_no_message_on_the_channel_is_an_error(message: Any) -> None:
    """Whatever is published, a bot looks; it never falls over."""
    assert isinstance(WakeUp.from_json(message), WakeUp)


@pytest.mark.parametrize(
    "message",
    ["", "hello", "[]", "7", '{"type": "of tomorrow"}', '{"type": ["command"]}', "{}"],
)
def test_an_unknown_message_is_a_plain_look(message: Any) -> None:
    """What cannot be read still says that something changed."""
    assert WakeUp() == WakeUp.from_json(message)


def test_a_spread_is_never_longer_than_a_poll() -> None:
    """A wrong spread must not make push slower than polling."""
    message = '{"type": "command", "spread_ms": 99999999}'

    assert MAX_SPREAD_MS == WakeUp.from_json(message).spread_ms


@pytest.mark.parametrize("spread", ['"5"', "-1", "true", "1.5"])
def test_a_garbage_spread_is_no_spread(spread: str) -> None:
    """A spread that is no whole number of milliseconds delays nothing."""
    message = f'{{"type": "command", "spread_ms": {spread}}}'

    assert WakeUp(type=WakeUpType.COMMAND) == WakeUp.from_json(message)


def test_wake_up_samples_are_what_we_write() -> None:
    """The samples and the code agree on the channel's messages."""
    written = [
        WakeUp(type=WakeUpType.TRADE_CONFIG, account="123456", version=6),
        WakeUp(
            type=WakeUpType.STRATEGY_CONFIG, account="123456", strategy_id=1, version=4
        ),
        WakeUp(type=WakeUpType.SERVER_HEARTBEAT, account="123456"),
        WakeUp(type=WakeUpType.COMMAND, spread_ms=2000),
    ]

    assert sample("wake_ups") == [json.loads(w.to_json()) for w in written]


def test_a_bot_that_speaks_only_the_seed_is_read() -> None:
    """The seed's eight fields are a whole heartbeat."""
    heartbeat = BotHeartbeat.from_hash(sample("bot_heartbeat_seed"))

    assert documents.BotStatus.ACTIVE is heartbeat.bot_status
    assert Decimal(12000) == heartbeat.peak_balance
    assert heartbeat.session is None
    assert sample("bot_heartbeat_seed") == heartbeat.to_hash()


def test_a_full_heartbeat_is_written_as_the_sample() -> None:
    """Every extension field has the encoding that the sample shows."""
    fields = sample("bot_heartbeat_full")
    heartbeat = BotHeartbeat.from_hash(fields)

    assert {1: 3, 2: 9} == heartbeat.strategy_versions
    assert () == heartbeat.config_errors
    assert fields == heartbeat.to_hash()
    assert list(BOT_FIELDS + BOT_EXTENSION_FIELDS) == list(fields)


def test_another_language_s_spelling_is_read() -> None:
    """Python's True, a naive time, fewer decimals and unknown fields do no harm."""
    assert BotHeartbeat.from_hash(sample("bot_heartbeat_seed")) == (
        BotHeartbeat.from_hash(sample("bot_heartbeat_django"))
    )
    assert ServerHeartbeat.from_hash(sample("server_heartbeat")) == (
        ServerHeartbeat.from_hash(sample("server_heartbeat_django"))
    )


def test_the_server_heartbeat_is_written_as_the_sample() -> None:
    """The seed's six fields, and no other."""
    fields = sample("server_heartbeat")

    assert fields == ServerHeartbeat.from_hash(fields).to_hash()
    assert list(SERVER_FIELDS) == list(fields)


def test_an_extension_that_became_unknown_is_written_empty() -> None:
    """HSET merges; a field left out would show its old value for ever."""
    seed = BotHeartbeat.from_hash(sample("bot_heartbeat_seed"))
    fields = attrs.evolve(seed, session="s", equity=None).to_hash()

    assert "" == fields["equity"]
    assert set(BOT_FIELDS + BOT_EXTENSION_FIELDS) == set(fields)


def test_floats_of_the_terminal_become_money() -> None:
    """MetaTrader speaks float; the heartbeat holds four places."""
    seed = BotHeartbeat.from_hash(sample("bot_heartbeat_seed"))

    heartbeat = attrs.evolve(seed, current_balance=0.1 + 0.2, equity=1e6)

    assert "0.3000" == heartbeat.to_hash()["current_balance"]
    assert Decimal("1000000.0000") == heartbeat.equity


@pytest.mark.parametrize(
    "name", [name for name in BOT_FIELDS if name != "dd_block_reason"]
)
def test_a_heartbeat_without_a_seed_field_is_an_error(name: str) -> None:
    """Half a heartbeat is not read as a whole one."""
    fields = sample("bot_heartbeat_seed")
    del fields[name]

    with pytest.raises(WireError) as caught:
        BotHeartbeat.from_hash(fields)

    assert name == caught.value.field


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("bot_status", "SLEEPING"),
        ("dd_blocked", "perhaps"),
        ("current_balance", "much"),
        ("timestamp", "noon"),
        ("pid", "x"),
        ("pause_reasons", '"a"'),
        ("strategy_versions", '{"a":1}'),
        ("strategy_versions", '{"1":true}'),
        ("strategy_versions", "[1]"),
        ("news", "{"),
    ],
)
def test_a_garbage_heartbeat_field_is_named(name: str, text: str | None) -> None:
    """The error says which field was wrong."""
    fields = sample("bot_heartbeat_full") | {name: text}

    with pytest.raises(WireError) as caught:
        BotHeartbeat.from_hash(fields)

    assert name == caught.value.field.split(".")[0]


def test_a_partial_server_heartbeat_says_what_it_says() -> None:
    """An operator's lone `HSET ... bot_status PAUSED` is heard."""
    heartbeat = ServerHeartbeat.from_hash({"bot_status": "PAUSED"})

    assert "PAUSED" == heartbeat.bot_status
    assert heartbeat.dd_blocked is None


def test_a_garbage_server_block_is_an_error() -> None:
    """Whether the server blocks is never guessed."""
    with pytest.raises(WireError, match="dd_blocked"):
        ServerHeartbeat.from_hash(sample("server_heartbeat") | {"dd_blocked": "maybe"})


def test_commands_are_written_as_the_samples() -> None:
    """Hash and REST body have the names that the protocol gives them."""
    command = Command.from_hash(sample("command"))
    account, fleet = read_commands_body(sample("commands_body"))

    assert sample("command") == command.to_hash()
    assert command == fleet
    assert sample("commands_body") == commands_body(account, fleet)


def test_strictness_rises_with_the_action() -> None:
    """RUN < PAUSE < FLATTEN < EMERGENCY_STOP."""
    ranked = sorted(CommandAction, key=lambda action: action.strictness)

    assert ["RUN", "PAUSE", "FLATTEN", "EMERGENCY_STOP"] == ranked


@given(optional(commands), optional(commands))
def test_the_stricter_level_is_obeyed(
    account: Command | None, fleet: Command | None
) -> None:
    """Neither level can loosen the other."""
    obeyed = effective(account, fleet)
    levels = [c for c in (account, fleet) if c is not None]

    if not levels:
        assert obeyed is None
    else:
        assert obeyed in levels
        assert max(c.action.strictness for c in levels) == obeyed.action.strictness


def test_a_late_command_does_not_replace_a_newer_one() -> None:
    """Only a higher seq counts; an equal one is the same command again."""
    stop = Command(action=CommandAction.EMERGENCY_STOP, seq=5)
    late = Command(action=CommandAction.RUN, seq=4)
    resume = Command(action=CommandAction.RUN, seq=6)

    assert stop is newest(stop, late)
    assert resume is newest(stop, resume)
    assert stop is newest(stop, Command(action=CommandAction.RUN, seq=5))
    assert stop is newest(None, stop)
    assert stop is newest(stop, None)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("action", "DANCE"),
        ("action", "run"),
        ("seq", "-1"),
        ("seq", ""),
        ("issued_at", "noon"),
    ],
)
def test_a_garbage_command_is_an_error(name: str, value: Any) -> None:
    """An unknown action is refused, not taken for the nearest known one."""
    with pytest.raises(WireError) as caught:
        Command.from_hash(sample("command") | {name: value})

    assert name == caught.value.field


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ([], "$"),
        ({"command": "RUN"}, "$.command"),
        ({"command": {"action": "RUN", "seq": "1"}}, "$.command.seq"),
        ({"fleet_command": {"action": 1, "seq": 1}}, "$.fleet_command.action"),
    ],
)
def test_a_garbage_commands_body_is_an_error_with_its_path(
    body: Any, path: str
) -> None:
    """The path names the level and the field."""
    with pytest.raises(WireError) as caught:
        read_commands_body(body)

    assert path == caught.value.field


def test_acks_are_written_as_the_samples() -> None:
    """Field names and JSON of both acknowledgement hashes."""
    configs, commands_ = sample("config_acks"), sample("command_acks")

    assert [TRADE_FIELD, strategy_field(1)] == list(configs)
    assert [command_field(12)] == list(commands_)
    assert configs == {f: ConfigAck.from_json(t).to_json() for f, t in configs.items()}
    assert commands_ == {
        field: CommandAck.from_json(text).to_json() for field, text in commands_.items()
    }


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"version": "5"}, "$.version"),
        ({"state": "maybe"}, "$.state"),
        ({"errors": "x"}, "$.errors"),
        ({"at": None}, "$.at"),
        ({"epoch": True}, "$.epoch"),
    ],
)
def test_a_garbage_ack_is_an_error_with_its_path(
    change: dict[str, Any], path: str
) -> None:
    """An acknowledgement that cannot be read is not taken for an applied version."""
    fields = json.loads(
        ConfigAck(version=5, state=ConfigState.APPLIED, at=NOW).to_json()
    )

    with pytest.raises(WireError) as caught:
        ConfigAck.from_json(json.dumps(fields | change))

    assert path == caught.value.field


def test_keys_and_ttls_are_the_seed_s() -> None:
    """Every key of the seed, with its TTL in seconds."""
    assert "bot:heartbeat:123456" == keys.bot_heartbeat(123456)
    assert "server:heartbeat:123456" == keys.server_heartbeat("123456")
    assert "bot:trade_config:123456" == keys.trade_config("123456")
    assert "bot:strategy_config:123456:1" == keys.strategy_config("123456", 1)
    assert (60, 300, 24 * 3600) == (
        keys.BOT_HEARTBEAT_TTL,
        keys.SERVER_HEARTBEAT_TTL,
        keys.CONFIG_VERSION_TTL,
    )
    assert "/api/bot/trade-config/123456/" == keys.trade_config_path("123456")
    assert "/api/bot/strategy-config/123456/1/" == keys.strategy_config_path(123456, 1)


def test_extension_keys_are_the_protocol_s() -> None:
    """Every key of the extensions."""
    assert "bot:events:1" == keys.events(1)
    assert "bot:command:1" == keys.command(1)
    assert "bot:command_ack:1" == keys.command_ack(1)
    assert "bot:config_ack:1" == keys.config_ack(1)
    assert "bot:lease:1" == keys.lease(1)
    assert "bot:epoch:1" == keys.epoch(1)
    assert "/api/bot/commands/1/" == keys.commands_path(1)
    assert 7 * 24 * 3600 == keys.COMMAND_ACK_TTL


def test_the_samples_are_the_seed_s_own_bodies() -> None:
    """The two JSON samples stand in docs/seed.md to the letter."""
    seed = (ROOT / "docs/seed.md").read_text("utf-8")
    bodies = re.findall(r"```json\n(.*?)```", seed, re.DOTALL)
    folder = ROOT / "tests/data/wire"

    assert bodies == [
        (folder / "trade_config.json").read_text("utf-8"),
        (folder / "strategy_config.json").read_text("utf-8"),
    ]


def test_document_fields_are_the_seed_s_in_its_order() -> None:
    """Our lists of fields are those of the seed's bodies."""
    trade, strategy = sample("trade_config"), sample("strategy_config")

    assert documents.TRADE_CONFIG_FIELDS == tuple(trade)
    assert documents.RISK_CONFIG_FIELDS == tuple(trade["risk_config"])
    assert documents.TRADE_SETTINGS_FIELDS == tuple(trade["trade_config"])
    assert documents.STRATEGY_CONFIG_FIELDS == tuple(strategy)


def test_version_fields_are_the_seed_s_lists() -> None:
    """The seed's lists of what raises a version, in the names of the bodies."""
    seed = (ROOT / "docs/seed.md").read_text("utf-8")
    sections = re.findall(r"Version Increments When:\n(.*?)\n\n", seed, re.DOTALL)
    listed = [
        {
            documents.SERVER_NAMES.get(name, name) if section else name
            for name in re.findall(r"`(\w+)`", text)
        }
        for section, text in enumerate(sections)
    ]
    trade = {documents.SERVER_NAMES.get(name, name) for name in listed[0]}

    assert documents.TRADE_VERSION_FIELDS == trade
    assert documents.STRATEGY_VERSION_FIELDS == listed[1]
