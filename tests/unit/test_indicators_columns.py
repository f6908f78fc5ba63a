"""A partition over its columns: modules, sources, hand-ins, marks, days ahead, publication put off, upgrades."""

from __future__ import annotations

import gc
import weakref
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.indicators.domain.activity.windows import AHEAD_DAYS
from services.indicators.handlers import Partition
from services.indicators.handlers import partition as handlers_partition
from services.kernel.clock import DAY_MS, HOUR_MS, day_number
from services.kernel.events import (
    ClockTicked,
    Due,
    Enrolment,
    EnrolmentsChanged,
    IndicatorsComputed,
    Leave,
    ModuleIndicators,
)
from tests.support.partitions import (
    OTHER,
    REGISTER,
    SETTINGS,
    STUDENT,
    Alone,
    active,
    outcomes,
    partition,
    published,
    record,
    tick,
)
from tests.support.students import MODULE, START_DAY, START_MS, consent, enrolled, student_of

ALL = ("vle", "library", "assessment", "attendance")


def consenting(*modules: Enrolment, sources: tuple[str, ...] = ALL) -> Partition:
    """A partition whose only student permits everything of the sources."""
    made = partition()
    made.consent(record(consent(STUDENT, sources=sources)))
    made.enrolments(record(EnrolmentsChanged(student=STUDENT, version=1, enrolments=modules or (place(),))))
    return made


def place(module: str = MODULE, **changes: object) -> Enrolment:
    """An enrolment for the term."""
    said = {"module": module, "start_day": START_DAY, "end_day": "2026-03-22"} | changes
    return Enrolment(**said)  # type: ignore[arg-type]  # changes are the test's


def figures(said: ModuleIndicators) -> dict[str, float]:
    """The figures of a module by name."""
    return {indicator.name: indicator.value for indicator in said.indicators}


def module(made: Partition, name: str = MODULE) -> ModuleIndicators:
    """What is published of the student's module."""
    return next(said for said in published(made.changes()).modules if said.module == name)


def test_modules_and_sources_are_kept_apart_and_told_together() -> None:
    """A module's figures are of all permitted sources, and of no other module."""
    made = consenting(place("A"), place("B"))
    made.apply([
        tick(1), active(1.1, module="A"), active(1.2, serial=1, module="A", source="library", weight=2),
        active(1.3, serial=2, module="B"), active(1.4, serial=3, module="C"), tick(2),
    ])  # fmt: skip
    said = published(made.changes())
    assert [one.module for one in said.modules] == ["A", "B"]
    assert [figures(one)["volume-7"] for one in said.modules] == [3, 1]


def test_activity_before_the_enrolment_is_known_counts() -> None:
    """The directory may come later than the first events."""
    made = partition()
    made.consent(record(consent(STUDENT)))
    made.apply([tick(1), active(1.1), tick(2)])
    assert not made.changes().indicators
    made.enrolments(record(enrolled(STUDENT)))
    assert figures(module(made))["volume-7"] == 1


@pytest.mark.requirement("R1")
def test_a_withdrawn_source_takes_its_hand_ins_and_marks() -> None:
    due = Due(assessment="essay", due_ms=START_MS + 3 * DAY_MS)
    made = consenting(place(due=(due,)))
    made.apply([
        tick(1), active(1.1, source="assessment", assessment="essay"), active(1.2, serial=1),
        active(1.3, serial=2, source="attendance", activity="attended"),
        active(1.4, serial=3, source="attendance", activity="absent", qualifying=False), tick(4),
    ])  # fmt: skip
    before = figures(module(made))
    assert (before["missing-work"], before["attendance"], before["volume-7"]) == (0, 50, 3)
    made.consent(record(consent(STUDENT, version=2, sources=("vle",))))
    after = module(made)
    assert figures(after)["volume-7"] == 1
    assert (after.unsaid["missing-work"], after.unsaid["attendance"]) == ("no-source", "no-source")


@pytest.mark.parametrize(
    ("handed", "extended", "late", "missing"),
    [(None, None, 0, 1), (3.5, None, 1, 0), (2.5, None, 0, 0), (3.5, 4.0, 0, 0), (None, 9.0, None, None)],
)
def test_due_work(handed: float | None, extended: float | None, late: float | None, missing: float | None) -> None:
    """Late, missing, handed in, and extended; what is not due yet is no due work."""
    extended_ms = None if extended is None else START_MS + int(extended * DAY_MS)
    due = Due(assessment="essay", due_ms=START_MS + 3 * DAY_MS, extended_ms=extended_ms)
    made = consenting(place(due=(due,)))
    made.apply([tick(1)])
    if handed is not None:
        made.apply([active(handed, source="assessment", activity="assignment", assessment="essay")])
    made.apply([tick(5)])
    said = figures(module(made))
    assert (said.get("late-work"), said.get("missing-work")) == (late, missing)


def test_the_earliest_hand_in_counts_whatever_the_order() -> None:
    """A second, late hand-in of the same work makes nothing late; also where the work gets known only afterwards."""
    made = consenting()
    made.apply([tick(3), active(3.6, source="assessment", assessment="essay")])
    made.apply([active(2.9, serial=1, source="assessment", assessment="essay"), tick(4)])
    due = Due(assessment="essay", due_ms=START_MS + 3 * DAY_MS)
    made.enrolments(record(EnrolmentsChanged(student=STUDENT, version=2, enrolments=(place(due=(due,)),))))
    assert figures(module(made))["late-work"] == 0


def test_an_event_far_ahead_of_the_clock_is_dropped_and_counted() -> None:
    """A few days ahead are held, and count once they have come; what is further ahead would wipe out the past."""
    made = partition(STUDENT)
    made.apply([tick(1), active(1 + AHEAD_DAYS), active(2 + AHEAD_DAYS, serial=1)])
    assert outcomes(made) == {"counted": 1, "ahead": 1}
    assert figures(module(made))["volume-7"] == 0
    made.flushed()
    made.apply([tick(2 + AHEAD_DAYS)])
    assert figures(module(made))["volume-7"] == 1


def test_events_before_the_first_tick_count() -> None:
    """Whatever their days: the rings go with the newest."""
    made = partition(STUDENT)
    made.apply([active(1), active(30, serial=1), active(12, serial=2), tick(31)])
    assert outcomes(made) == {"counted": 3}
    assert figures(module(made))["volume-28"] == 2


def test_publication_can_be_put_off_and_no_restart_forgets_it() -> None:
    """States are written meanwhile; whoever goes on publishes everybody."""
    made = partition(STUDENT, OTHER)
    made.apply([tick(1), active(1.1), tick(2)])
    changes = made.changes(publish=False)
    assert changes.states.keys() == {STUDENT, OTHER}
    assert not changes.indicators
    position = made.position(7)
    assert (position.owing, position.unfinished) == (True, True)
    again = Alone(REGISTER, SETTINGS, position)
    again.restore({s.encode(): state for s, state in changes.states.items() if state} | dict(changes.cohorts))  # type: ignore[arg-type]  # none is taken away
    for student in (STUDENT, OTHER):
        again.consent(record(consent(student)))
        again.enrolments(record(enrolled(student)))
    again.reconcile()
    assert again.owes
    assert made.changes().indicators == again.changes().indicators
    again.flushed()
    assert not again.position(7).unfinished


def test_publication_of_many_comes_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    """No transaction grows with the number of students; what is left is still owed."""
    monkeypatch.setattr(handlers_partition, "MOST_RECORDS", 2)
    students = [student_of(f"s{n}") for n in range(5)]
    made = partition(*students)
    made.apply([tick(1)])
    portions = []
    while made.owes:
        portions.append(len(made.changes().indicators))
        assert made.position(1).owing == (sum(portions) < len(students))
        made.flushed()
    assert portions == [2, 2, 1]


def test_the_state_of_the_release_before_is_taken_over() -> None:
    """Its days, episodes and seen ids hold; the next change writes the new form."""
    day = day_number(START_DAY)
    seen = active(20.5)
    half = int(msgspec.json.decode(seen.value or b"")["id"][:16], 16)
    modules = {MODULE: ({"vle": (day + 2, {day + 2: 3})}, {"days-since-last-activity": ("an id", day + 2)})}
    old = msgspec.msgpack.encode(({"vle": START_MS - 14 * DAY_MS}, modules, {half: day + 20}, day + 18, True))
    made = partition()
    made = Alone(REGISTER, SETTINGS, msgspec.structs.replace(made.position(0), clock_ms=START_MS + 20 * DAY_MS))
    made.restore({STUDENT.encode(): old})
    made.consent(record(consent(STUDENT)))
    made.enrolments(record(enrolled(STUDENT)))
    made.reconcile()
    made.apply([seen, active(20.6, serial=1), tick(20.7)])
    assert outcomes(made) == {"duplicate": 1, "counted": 1}
    changes = made.changes()
    (trigger,) = (t for t in changes.triggers if t.rule == "days-since-last-activity")
    assert (trigger.state, trigger.episode_day) == ("recovered", "2026-01-14")
    assert figures(published(changes).modules[0])["volume-28"] == 4


happenings = st.tuples(
    st.integers(-47 * 60, 70 * 60), st.sampled_from(["vle", "library", "assessment"]), st.sampled_from(["A", "B"])
)


@settings(max_examples=40, deadline=None)
@given(st.lists(happenings, max_size=30), st.randoms())
def test_any_order_between_two_ticks_gives_the_same_bytes(found: list[tuple[int, str, str]], random_: Random) -> None:
    """Days, types of activity, sessions, hand-ins, ids: nothing remembers which event came first."""
    due = (Due(assessment="essay", due_ms=START_MS + 5 * DAY_MS),)
    records = [
        active(5 + minute / 1440, serial=serial, source=source, module=module, **_work(source))
        for serial, (minute, source, module) in enumerate(found)
    ]
    ends = []
    for _ in range(2):
        made = consenting(place("A", due=due), place("B"))
        made.apply([tick(5), *records, tick(8)])
        changes = made.changes()
        ends.append((changes.states, changes.indicators, changes.triggers))
        random_.shuffle(records)
    assert ends[0] == ends[1]


def _work(source: str) -> dict[str, Any]:
    return {"assessment": "essay"} if source == "assessment" else {}


def test_leave_holds_a_place_and_says_so() -> None:
    made = consenting(place(leave=(Leave(first_day="2026-01-14", last_day="2026-02-10"),)))
    made.apply([tick(day) for day in range(1, 20)])
    assert module(made).held == "leave"


def test_a_place_that_is_gone_ends_its_episodes() -> None:
    """Where the directory no longer lists a module, its episode ends, and nothing of it is published."""
    made = partition(STUDENT)
    made.apply([tick(day) for day in range(1, 16)])
    made.enrolments(record(EnrolmentsChanged(student=STUDENT, version=2)))
    made.apply([tick(16)])
    changes = made.changes()
    ends = {trigger.rule: trigger.why for trigger in changes.triggers if trigger.state == "recovered"}
    assert ends["days-since-last-activity"] == "left"
    assert changes.indicators.get(STUDENT) is None


def test_a_silent_feed_holds_alerts_and_is_published() -> None:
    """Everybody's record says so, as of the tick at which it fell silent; and no longer once it is heard again."""
    made = partition(STUDENT)
    hours = REGISTER.source["vle"].stale_after_hours
    assert hours
    heard = START_MS + DAY_MS
    made.apply([record(tick_heard(heard, heard)), record(tick_heard(heard + (hours + 1) * HOUR_MS, heard))])
    assert module(made).held == "feed-stale"
    later = heard + (hours + 2) * HOUR_MS
    made.apply([record(tick_heard(later, later))])
    said = module(made)
    assert (said.held, said.since_day > START_DAY) == (None, True)


def tick_heard(at_ms: int, heard_ms: int) -> ClockTicked:
    """A tick that says when the learning environment was last heard."""
    return ClockTicked(at_ms=at_ms, heard={"vle": heard_ms})


def test_a_record_says_as_of_when_it_is() -> None:
    """As of the student's last change, or of the last tick that was for all."""
    made = partition(STUDENT, OTHER)
    made.apply([tick(1), tick(1.2), active(1.3), tick(1.4)])
    changes = made.changes()
    assert published(changes).as_of_ms == START_MS + int(1.2 * DAY_MS)
    other = msgspec.json.decode(changes.indicators[OTHER] or b"", type=IndicatorsComputed)
    assert other.as_of_ms == START_MS + DAY_MS


def test_a_partition_goes_without_the_garbage_collector() -> None:
    """A shard that lost its partition keeps nothing of it: what was read is kept out of the collector's sight."""
    made = partition(STUDENT, OTHER)
    made.apply([tick(1), active(1.1), tick(2)])
    made.changes()
    made.flushed()
    gone = weakref.ref(made)
    gc.disable()
    try:
        del made
        assert gone() is None
    finally:
        gc.enable()
