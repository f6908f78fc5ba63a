"""The clock's routes: a replayer says what time it is, and what it had sent by then."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.door import AT_MS, DoorInMemory, event


@pytest.fixture
def door(tmp_path: Path) -> DoorInMemory:
    """A door whose clock a replayer sets."""
    return DoorInMemory(tmp_path)


def test_the_clock_is_set_and_told(door: DoorInMemory) -> None:
    assert door.client.get("/v1/clock").json() == {"mode": "replay", "at_ms": None}
    answer = door.post({"at_ms": AT_MS}, "/v1/clock")
    assert (answer.status_code, answer.json()) == (200, {"mode": "replay", "at_ms": AT_MS})
    assert door.log.records == [AT_MS]
    back = door.post({"at_ms": AT_MS - 1}, "/v1/clock")
    assert (back.status_code, back.json()["reason"]) == (409, "clock-refused")


def test_a_replayer_says_with_a_tick_what_it_has_sent_by_then(door: DoorInMemory) -> None:
    door.post(event("31000001"))
    assert door.post({"at_ms": AT_MS, "heard": {"vle": AT_MS - 5}}, "/v1/clock").status_code == 200
    assert door.post({"at_ms": AT_MS}, "/v1/clock").status_code == 200
    assert door.log.heard == [{"vle": AT_MS - 5}, {}]
    assert door.metrics.registry.get_sample_value("signpost_source_heard_timestamp_seconds", {"source": "vle"})


@pytest.mark.parametrize(
    ("heard", "word"), [({"library": AT_MS}, "vle"), ({"vle": AT_MS + 1}, "after the tick"), ({"vle": "now"}, "int")]
)
def test_what_no_replayer_can_have_heard_is_refused(door: DoorInMemory, heard: Any, word: str) -> None:
    answer = door.post({"at_ms": AT_MS, "heard": heard}, "/v1/clock")
    assert (answer.status_code, answer.json()["reason"]) == (422, "invalid-field")
    assert word in answer.json()["detail"]
    assert door.log.records == []


@pytest.mark.parametrize("body", [{}, {"at_ms": "now"}, {"at_ms": -1}, {"at_ms": 10**15}, {"at_ms": 1, "x": 1}, []])
def test_a_wrong_time_is_refused(door: DoorInMemory, body: Any) -> None:
    assert door.post(body, "/v1/clock").status_code == 422
    assert door.log.records == []
