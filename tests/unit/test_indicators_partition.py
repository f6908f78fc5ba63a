"""A partition in memory: consent, late events, ticks, publication, and that batches make no difference."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.indicators.handlers import Partition
from services.indicators.ports import Changes
from services.kernel.clock import DAY_MS, HOUR_MS
from services.kernel.codec import encode
from services.kernel.consents import INDIVIDUAL_INDICATORS
from services.kernel.errors import InvalidMessage
from services.kernel.events import ClockTicked, ConsentStateChanged, IndicatorsComputed
from services.kernel.register import load_register
from services.kernel.settings import Settings
from tests.support.students import MODULE, START_MS, activity, consent, enrolled, student_of, term

STUDENT, OTHER = student_of("s1"), student_of("s2")
REGISTER, SETTINGS = load_register(), Settings()


@dataclass(frozen=True)
class Record:
    """A record as the partition sees it."""

    offset: int
    key: bytes | None
    value: bytes | None


_offsets = itertools.count()


def record(event: msgspec.Struct) -> Record:
    """The event as a record; keyed by its student, where it has one."""
    student = getattr(event, "student", None)
    return Record(next(_offsets), student.encode() if student else None, encode(event))


def partition(*students: str) -> Partition:
    """A partition whose students consent to everything and are enrolled."""
    made = Partition(REGISTER, SETTINGS)
    for student in students:
        made.consent(record(consent(student)))
        made.enrolments(record(enrolled(student)))
    made.reconcile()
    return made


def tick(days: float) -> Record:
    """A tick so many days after the start."""
    return record(ClockTicked(at_ms=START_MS + int(days * DAY_MS)))


def active(days: float, student: str = STUDENT, serial: int = 0, **changes: object) -> Record:
    """An event so many days after the start."""
    return record(activity(student, START_MS + int(days * DAY_MS), serial, **changes))


def published(changes: Changes, student: str = STUDENT) -> IndicatorsComputed:
    """The student's indicators in the changes."""
    return msgspec.json.decode(changes.indicators[student] or b"", type=IndicatorsComputed)


def figure(said: IndicatorsComputed, name: str) -> float:
    """A figure of the only module."""
    (module,) = said.modules
    return next(i.value for i in module.indicators if i.name == name)


def outcomes(made: Partition) -> dict[str, int]:
    """What became of the events, ticks left out."""
    return {name: number for name, number in made.outcomes.items() if not name.startswith("tick")}


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


@pytest.mark.requirement("R1")
@pytest.mark.parametrize(
    "said",
    [None, consent(STUDENT, sources=["library"]), consent(STUDENT, purposes=["tutor-notify"]),
     ConsentStateChanged(student=STUDENT, version=1, changed_ms=0), consent(STUDENT, until_ms=START_MS + DAY_MS),
     consent(STUDENT, from_ms=START_MS + 3 * DAY_MS)],
    ids=["unknown", "another source", "another purpose", "withdrawn", "expired", "given later"],
)  # fmt: skip
def test_event_without_a_grant_leaves_no_trace(said: ConsentStateChanged | None) -> None:
    """Whatever the reason that there is no grant: nothing is stored or published for the student."""
    made = Partition(REGISTER, SETTINGS)
    if said:
        made.consent(record(said))
    made.reconcile()
    made.apply([tick(2), active(2.1, module="UNENROLLED"), tick(3)], consent_is_complete=True)
    assert outcomes(made) == {"no-grant": 1}
    changes = made.changes()
    assert not changes.states
    assert not changes.indicators
    assert not changes.triggers


@pytest.mark.requirement("R1")
def test_enrolment_alone_leaves_no_trace() -> None:
    """A student who is enrolled and never consented is not even named in a tombstone."""
    made = partition()
    made.enrolments(record(enrolled(STUDENT)))
    made.apply([tick(1), tick(20)])
    assert made.changes() == Changes({}, {}, [], [])


@pytest.mark.requirement("R1")
def test_withdrawal_purges_at_once() -> None:
    """State and published figures become tombstones, triggers not yet sent are dropped, nothing more comes."""
    made = partition(STUDENT, OTHER)
    made.apply([tick(1), active(1.1), active(1.1, OTHER), tick(2)])
    made.changes()
    made.flushed()
    made.apply([tick(20)])
    made.consent(record(ConsentStateChanged(student=STUDENT, version=2, changed_ms=0)))
    changes = made.changes()
    assert changes.states[STUDENT] is None
    assert changes.indicators[STUDENT] is None
    assert changes.states[OTHER]
    assert [t.student for t in changes.triggers] == [OTHER]
    made.flushed()
    made.apply([active(20.1, consent_version=1), tick(40)])
    assert STUDENT not in made.changes().indicators
    assert made.outcomes["no-grant"] == 1


@pytest.mark.requirement("R1")
def test_new_grant_starts_from_nothing() -> None:
    """A grant that begins later revives nothing that was counted under the one before."""
    made = partition(STUDENT)
    made.apply([tick(1), active(1.1), tick(2)])
    made.consent(record(consent(STUDENT, version=2, from_ms=START_MS + 2 * DAY_MS)))
    made.apply([active(2.5, serial=1), tick(3)], consent_is_complete=True)
    assert figure(published(made.changes()), "active-days-7") == 1


@pytest.mark.requirement("R1")
def test_withdrawn_source_loses_only_its_part() -> None:
    """What another source permitted stays."""
    made = partition(STUDENT)
    made.consent(record(consent(STUDENT, version=2, sources=["vle", "library"])))
    made.apply([tick(1), active(1.1), active(1.2, serial=1, source="library"), active(0.2, serial=2)])
    made.consent(record(consent(STUDENT, version=3, sources=["library"])))
    said = published(made.changes())
    assert said.sources == ("library",)
    assert figure(said, "volume-7") == 1


@pytest.mark.requirement("R1")
def test_expiry_needs_no_message() -> None:
    """A grant whose end a tick has reached is purged like a withdrawn one."""
    made = partition()
    made.consent(record(consent(STUDENT, until_ms=START_MS + 5 * DAY_MS + HOUR_MS)))
    made.enrolments(record(enrolled(STUDENT)))
    made.apply([tick(1), active(1.1), tick(5)])
    assert published(made.changes())
    made.flushed()
    made.apply([tick(5.5)])
    changes = made.changes()
    assert changes.states == {STUDENT: None}
    assert changes.indicators == {STUDENT: None}


@pytest.mark.requirement("R1")
def test_lost_consent_is_reconciled_at_the_start() -> None:
    """State of a student who withdrew while no worker ran is dropped before anything else."""
    before = partition(STUDENT, OTHER)
    before.apply([tick(1), active(1.1), active(1.2, OTHER)])
    states = {s.encode(): v for s, v in before.changes().states.items() if v}
    after = Partition(REGISTER, SETTINGS, clock_ms=before.clock_ms)
    after.restore(states)
    after.consent(record(consent(OTHER)))
    after.reconcile()
    assert after.changes().states == {STUDENT: None}
    assert after.students == 1


@pytest.mark.requirement("R1")
def test_stale_consent_loses() -> None:
    """An older version that comes later changes nothing."""
    made = partition(STUDENT)
    made.consent(record(ConsentStateChanged(student=STUDENT, version=3, changed_ms=0)))
    made.consent(record(consent(STUDENT, version=2)))
    made.apply([tick(1), active(1.1)])
    assert outcomes(made) == {"no-grant": 1}


@pytest.mark.requirement("R1")
def test_waits_for_the_consent_that_the_door_saw() -> None:
    """An event judged by a newer consent is not touched until the consents were read to their end."""
    made = partition(STUDENT)
    records = [tick(1), active(1.1), active(1.2, serial=1, consent_version=2), active(1.3, serial=2)]
    assert made.apply(records) == 2
    made.consent(record(consent(STUDENT, version=2)))
    assert made.apply(records[2:]) == 2
    assert outcomes(made) == {"counted": 3}


def test_unreadable_consent_halts() -> None:
    """It could be a withdrawal: it is never skipped."""
    with pytest.raises(InvalidMessage):
        partition().consent(Record(0, STUDENT.encode(), b"{"))


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
    (trigger,) = made.changes().triggers
    assert (trigger.state, trigger.value, trigger.day, trigger.module) == ("opened", 14, "2026-01-26", MODULE)
    assert trigger.consent_version == 1
    assert trigger.notice == "2026-1"


@pytest.mark.requirement("R1")
def test_no_trigger_without_the_tutors_purpose() -> None:
    """Figures for the student herself are no reason to tell the tutor."""
    made = partition()
    made.consent(record(consent(STUDENT, purposes=[INDIVIDUAL_INDICATORS])))
    made.enrolments(record(enrolled(STUDENT)))
    made.apply([tick(day) for day in range(1, 30)])
    changes = made.changes()
    assert published(changes)
    assert not changes.triggers


@pytest.mark.parametrize(
    "place",
    [{"start_day": "2026-05-01", "end_day": "2026-06-30"}, {"end_day": "2026-01-20"}, {"left_day": "2026-01-20"}],
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
    opened, recovered = made.changes().triggers
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
    begin = 0
    for end in [*sorted(cuts), len(log)]:
        made.apply(log[begin:end])
        everything(made, flushes)
        begin = max(begin, end)
        states |= flushes[-1].states
        if restart:
            clock_ms, made = made.clock_ms, Partition(REGISTER, SETTINGS, clock_ms=made.clock_ms)
            made.restore({s.encode(): v for s, v in states.items() if v is not None})
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
