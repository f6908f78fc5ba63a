"""A partition in memory: late events, ticks, publication, and that batches make no difference."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.indicators.handlers import Partition
from services.indicators.ports import Changes
from services.kernel.codec import encode
from services.kernel.dead_letters import FLOOD, Flood
from services.kernel.events import SupportTriggered
from tests.support.partitions import (
    OTHER,
    REGISTER,
    SETTINGS,
    STUDENT,
    Alone,
    Record,
    active,
    figure,
    outcomes,
    partition,
    published,
    record,
    tick,
)
from tests.support.students import MODULE, START_MS, activity, consent, enrolled, student_of, term


def silent(changes: Changes) -> list[SupportTriggered]:
    """The triggers of the rule about days without activity."""
    return [trigger for trigger in changes.triggers if trigger.rule == "days-since-last-activity"]


def test_consenting_students_activity_is_published() -> None:
    """An event and a tick give figures, with the consent, register and sources that they rest on."""
    made = partition(STUDENT)
    made.apply([tick(3), active(3.2), active(3.3, serial=1, weight=4), tick(4)])
    said = published(made.changes())
    assert (said.day, said.consent_version, said.sources) == ("2026-01-16", 1, ("vle",))
    assert said.register_version == REGISTER.version
    assert figure(said, "volume-7") == 5
    assert figure(said, "active-days-7") == 1
    assert figure(said, "days-since-last-activity") == 1


@pytest.mark.parametrize(
    ("value", "reason"),
    [(b"not json", "not-json"), (None, "not-json"), (b'{"type": "Unknown.v1"}', "not-the-contract"),
     (encode(activity(OTHER, START_MS)), "wrong-key"),
     (encode(activity(STUDENT, START_MS, id="z" * 32)), "not-the-contract")],
)  # fmt: skip
def test_poison_is_set_aside_and_the_rest_goes_on(value: bytes | None, reason: str) -> None:
    """An unreadable record stops nothing and is kept for the dead letters."""
    made, poison = partition(STUDENT), Record(99, STUDENT.encode(), value)
    assert made.apply([tick(1), poison, active(1.1)], consent_is_complete=True) == 3
    ((kept, error),) = made.changes().unreadable
    assert (kept, error.reason) == (poison, reason)
    assert outcomes(made) == {"unreadable": 1, "counted": 1}


def test_unreadable_enrolment_is_passed_over() -> None:
    """The agent sets it aside; the shard goes on with what it knew."""
    made = partition(STUDENT)
    made.enrolments(Record(0, STUDENT.encode(), b"{"))
    made.apply([tick(1), active(1.1)])
    assert published(made.changes())


def test_late_events_correct_and_later_ones_are_dropped() -> None:
    """Up to 48 hours behind the clock an event counts on its own day; beyond, it is dropped and counted as late."""
    made = partition(STUDENT)
    made.apply([tick(5), active(3.0), active(2.9, serial=1)])
    assert outcomes(made) == {"counted": 1, "late": 1}
    assert figure(published(made.changes()), "days-since-last-activity") == 2


def test_never_seen_student_is_found() -> None:
    """Absence needs no event: fourteen silent days from the start raise a trigger, once."""
    made = partition(STUDENT)
    made.apply([tick(day) for day in range(1, 30)])
    (trigger,) = silent(made.changes())
    assert (trigger.state, trigger.value, trigger.day, trigger.module) == ("opened", 14, "2026-01-26", MODULE)
    assert trigger.consent_version == 1
    assert trigger.notice == "2026-1"


@pytest.mark.parametrize(
    "place",
    [{"start_day": "2026-05-01", "end_day": "2026-06-30"}, {"end_day": "2026-01-18"}, {"left_day": "2026-01-18"}],
)  # fmt: skip
def test_rules_rest_outside_the_enrolment(place: dict[str, Any]) -> None:
    """Before the start, after the end and after leaving nothing alerts."""
    made = partition()
    made.consent(record(consent(STUDENT)))
    made.enrolments(record(enrolled(STUDENT, **place)))
    made.apply([tick(day) for day in range(1, 40)])
    assert not made.changes().triggers


def test_recovery_is_told_at_the_next_tick() -> None:
    """Activity ends the episode, under the same id."""
    made = partition(STUDENT)
    made.apply([tick(day) for day in range(1, 16)])
    made.apply([active(15.3), tick(15.5)])
    opened, recovered = silent(made.changes())
    assert (opened.id, opened.state, recovered.state) == (recovered.id, "opened", "recovered")
    assert recovered.value == 0


def test_ended_module_is_withdrawn_from_publication() -> None:
    """When no module runs any more, the published record becomes a tombstone."""
    made = partition(STUDENT)
    made.apply([tick(1), active(1.1)])
    made.changes()
    made.flushed()
    assert made.students == 1
    made.apply([tick(80)])
    assert made.changes().indicators == {STUDENT: None}
    assert made.students == 0


def test_clock_never_runs_backwards() -> None:
    """A second replay of the same term changes nothing."""
    records = [tick(1), active(1.1), tick(2), active(2.1, serial=1), tick(3), tick(20)]
    made = partition(STUDENT)
    made.apply(records)
    made.changes()
    made.flushed()
    made.apply(records)
    assert made.changes() == Changes({}, {}, [], [])


def everything(made: Partition, into: list[Changes]) -> None:
    """Flush."""
    into.append(made.changes())
    made.flushed()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 700), max_size=8), st.booleans())
def test_batches_flushes_and_restarts_change_nothing(cuts: list[int], restart: bool) -> None:  # noqa: FBT001 - drawn
    """However the log is cut into transactions, and whoever goes on after each: the same bytes at the end."""
    students = [student_of(f"s{n}") for n in range(12)]
    log = [
        record(event)
        for part in term(students, days=24, events_a_day=24, seed=7, slices_a_day=2)
        for event in (*part.events, part.tick)
    ]
    whole = partition(*students)
    whole.apply(log)
    expected = whole.changes()

    made = partition(*students)
    flushes: list[Changes] = []
    states: dict[str, bytes | None] = {}
    kept: dict[bytes, bytes | None] = {}
    begin = 0
    for end in [*sorted(cuts), len(log)]:
        made.apply(log[begin:end])
        everything(made, flushes)
        begin = max(begin, end)
        states |= flushes[-1].states
        kept |= {s.encode(): v for s, v in flushes[-1].states.items()} | flushes[-1].cohorts
        if restart:
            clock_ms, made = made.clock_ms, Alone(REGISTER, SETTINGS, made.position(0))
            made.restore({key: v for key, v in kept.items() if v is not None})
            for student in students:
                made.consent(record(consent(student)))
                made.enrolments(record(enrolled(student)))
            made.reconcile()
            assert made.clock_ms == clock_ms
    indicators: dict[str, bytes | None] = {}
    for flush in flushes:
        indicators |= flush.indicators
    assert states == expected.states
    assert indicators == expected.indicators
    assert [t for flush in flushes for t in flush.triggers] == expected.triggers


def test_a_flood_of_poison_is_a_fault_and_no_letters() -> None:
    """More than a hundred unreadable records in a row end the worker; fewer, with a good one between, do not."""
    made = partition(STUDENT)
    poison = [Record(n, STUDENT.encode(), b"poison") for n in range(FLOOD)]
    made.apply([*poison, tick(1), *poison])
    assert outcomes(made) == {"unreadable": 2 * FLOOD}
    with pytest.raises(Flood, match="activity-events"):
        made.apply(poison[:1])
