"""What a door tells, with each tick, of when it last heard from each kind of source."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from services.ingest.feeds import Feeds
from services.kernel.clock import HOUR_MS
from services.kernel.events import ActivityRecorded, ClockTicked
from services.kernel.metrics import IngestMetrics
from tests.support.door import AT_MS, HOME_PAGE, DoorInMemory, event, statement, student_of
from tests.support.students import consent


class Machine:
    """A clock that a test sets; it stops the door's own clockwork once it is asked too often."""

    def __init__(self, at_ms: int, asked: int = 4) -> None:
        self.at_ms, self.asked = at_ms, asked

    def now_ms(self) -> int:
        """What the test says."""
        self.asked -= 1
        if not self.asked:
            raise asyncio.CancelledError
        return self.at_ms


@pytest.fixture
def door(tmp_path: Path) -> DoorInMemory:
    """A door that keeps the time itself."""
    return DoorInMemory(tmp_path, "live")


def ticked(door: DoorInMemory, at_ms: int) -> dict[str, int]:
    """What the next tick says."""
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(door.ticks.run_live(Machine(at_ms)))
    return door.log.heard[-1]


def test_a_source_that_never_sent_anything_is_watched_too(door: DoorInMemory) -> None:
    assert ticked(door, AT_MS) == {"vle": 0}


@pytest.mark.parametrize("told", ["consenting", "unknown", "of no use", "wrong"])
def test_it_hears_what_is_valid_whoever_it_is_about(door: DoorInMemory, told: str) -> None:
    """Silence about those who consent must not look like a broken feed, nor noise like one that works."""
    if told == "consenting":
        door.consents.states[student_of("31000001")] = consent(student_of("31000001"))
    if told == "of no use":
        door.post([statement("31000001", verb={"id": f"{HOME_PAGE}/unheard-of"})], "/xapi/statements")
    else:
        door.post(event("31000001", activity="telepathy" if told == "wrong" else "forum"))
    far = door.door.machine.now_ms() + HOUR_MS
    assert (ticked(door, far)["vle"] > 0) == (told != "wrong")


def test_nothing_is_heard_after_the_tick_that_tells_it(door: DoorInMemory) -> None:
    door.post(event("31000001"))
    assert ticked(door, AT_MS) == {"vle": AT_MS}


def test_what_could_not_be_written_was_not_heard(door: DoorInMemory) -> None:
    """It is sent again; until then its absence from the log must not be taken for the students'."""
    door.log.away = True
    door.consents.states[student_of("31000001")] = consent(student_of("31000001"))
    assert door.post(event("31000001")).status_code == 503
    door.log.away = False
    assert ticked(door, AT_MS) == {"vle": 0}
    assert not [record for record in door.log.records if isinstance(record, ActivityRecorded)]


def test_a_door_that_starts_again_goes_on_from_the_log() -> None:
    feeds = Feeds({"vle", "library"}, IngestMetrics())
    feeds.recovered({"vle": 5, "attendance": 7})
    feeds.heard("library", 3)
    feeds.heard("library", 2)
    assert feeds.last(10) == {"library": 3, "vle": 5}


def test_a_door_is_told_by_the_last_tick_when_it_starts(door: DoorInMemory) -> None:
    door.ticks.recovered(ClockTicked(at_ms=AT_MS, heard={"vle": AT_MS - 9}))
    assert ticked(door, AT_MS + HOUR_MS) == {"vle": AT_MS - 9}
