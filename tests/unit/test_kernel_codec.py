"""Reading a topic's values: what can never be read is told apart by a bounded reason."""

from __future__ import annotations

import pytest

from services.kernel.codec import decoder, encode
from services.kernel.errors import InvalidMessage
from services.kernel.events import ClockTicked
from services.kernel.topics import ACTIVITY_EVENTS, CONSENT_STATE, INDICATORS_STATE

read = decoder(ACTIVITY_EVENTS)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b"", "not-json"),
        (b"oops", "not-json"),
        (b'{"type": "ClockTicked.v1", "at_ms": 1', "not-json"),
        (b'{"type": "ClockTicked.v1", "at_ms": 1} {}', "not-json"),
        (b'{"type": "\xff"}', "not-json"),
        (b"null", "not-the-contract"),
        (b"[]", "not-the-contract"),
        (b"{}", "not-the-contract"),
        (b'{"type": "ClockTicked.v2", "at_ms": 1}', "not-the-contract"),
        (b'{"type": "ConsentStateChanged.v1"}', "not-the-contract"),
        (b'{"type": "ClockTicked.v1"}', "not-the-contract"),
        (b'{"type": "ClockTicked.v1", "at_ms": "1"}', "not-the-contract"),
        (b'{"type": "ClockTicked.v1", "at_ms": -1}', "not-the-contract"),
    ],
)
def test_an_unreadable_value_says_why_and_on_which_topic(value: bytes, reason: str) -> None:
    with pytest.raises(InvalidMessage, match=r"^activity-events: ") as raised:
        read(value)
    assert raised.value.reason == reason


def test_a_missing_value_is_no_message() -> None:
    with pytest.raises(InvalidMessage) as raised:
        read(None)  # type: ignore[arg-type]  # a tombstone where there should be none
    assert raised.value.reason == "not-json"


def test_what_is_wrong_is_said_without_the_value() -> None:
    with pytest.raises(InvalidMessage) as raised:
        decoder(CONSENT_STATE)(b'{"type": "ConsentStateChanged.v1", "student": "ann@university.example"}')
    assert "ann@" not in str(raised.value)
    assert "student" in str(raised.value)


def test_what_is_written_is_read_as_it_was_and_is_always_the_same_bytes() -> None:
    tick = ClockTicked(at_ms=5)
    assert read(encode(tick)) == tick
    assert encode(tick) == b'{"type":"ClockTicked.v1","at_ms":5}'


def test_a_topic_without_declared_payloads_has_no_decoder() -> None:
    with pytest.raises(TypeError):
        decoder(INDICATORS_STATE)
