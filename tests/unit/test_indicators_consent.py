"""A partition in memory: every way in which consent can be missing, end or come late."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec import structs

from services.kernel.clock import DAY_MS, HOUR_MS, day_number
from services.kernel.codec import encode
from services.kernel.consents import INDIVIDUAL_INDICATORS
from services.kernel.errors import InvalidMessage
from services.kernel.events import ConsentStateChanged
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
from tests.support.students import MODULE, START_DAY, START_MS, consent, enrolled


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
    made = Alone(REGISTER, SETTINGS)
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
    changes = made.changes()
    assert not changes.states
    assert not changes.indicators
    assert not changes.triggers


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
    assert {t.student for t in changes.triggers} == {OTHER}
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
    after = Alone(REGISTER, SETTINGS, before.position(0))
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


@pytest.mark.parametrize("value", [b"{", encode(consent(OTHER))], ids=["not JSON", "another student's"])
def test_unreadable_consent_halts(value: bytes) -> None:
    """It could be a withdrawal: it is never skipped."""
    with pytest.raises(InvalidMessage):
        partition().consent(Record(0, STUDENT.encode(), value))


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


@pytest.mark.requirement("R1")
def test_tutor_is_told_nothing_from_before_the_tutors_grant() -> None:
    """Absence counts for the tutor from the day after their grant on, whatever was seen before."""
    made = partition()
    own = consent(STUDENT, purposes=[INDIVIDUAL_INDICATORS])
    later = consent(STUDENT, version=2, purposes=["tutor-notify"], from_ms=START_MS + 10 * DAY_MS + HOUR_MS)
    made.consent(record(structs.replace(later, grants=own.grants + later.grants)))
    made.enrolments(record(enrolled(STUDENT)))
    made.apply([tick(1), active(1.1, consent_version=2), *(tick(day) for day in range(2, 30))])
    (trigger,) = [t for t in made.changes().triggers if t.rule == "days-since-last-activity"]
    assert (trigger.episode_day, trigger.day, trigger.value) == ("2026-01-23", "2026-02-06", 14)


@pytest.mark.requirement("R1")
def test_tutor_is_told_nothing_of_marks_from_before_the_tutors_grant_of_attendance() -> None:
    """Whatever else the tutor may have known before."""
    own = consent(STUDENT, purposes=[INDIVIDUAL_INDICATORS], sources=["vle", "attendance"]).grants
    early, late = (START_MS - DAY_MS, START_MS + 16 * DAY_MS + HOUR_MS)
    told = consent(STUDENT, purposes=["tutor-notify"]).grants
    told += consent(STUDENT, purposes=["tutor-notify"], sources=["attendance"], from_ms=late).grants
    made = partition()
    made.consent(record(ConsentStateChanged(student=STUDENT, version=2, changed_ms=early, grants=own + told)))
    made.enrolments(record(enrolled(STUDENT)))
    absent: dict[str, Any] = {"source": "attendance", "activity": "absent", "qualifying": False, "consent_version": 2}
    there = absent | {"activity": "attended", "qualifying": True}
    for day in range(1, 26):
        mark = active(day + 0.2, **(absent if day < 16 else there))
        made.apply([active(day + 0.1, consent_version=2), mark, tick(day + 1)])
    changes = made.changes()
    assert figure(published(changes), "attendance") < 100
    assert [t for t in changes.triggers if t.rule == "low-attendance"] == []


@pytest.mark.requirement("R1")
def test_trigger_that_is_not_flushed_goes_with_a_grant_that_begins_anew() -> None:
    """Also where the new grant is all that is seen of it."""
    made = partition()
    made.consent(record(consent(STUDENT)))
    made.enrolments(record(enrolled(STUDENT)))
    made.apply([tick(day) for day in range(1, 20)])
    made.consent(record(consent(STUDENT, version=3, from_ms=START_MS + 20 * DAY_MS)))
    assert not made.changes().triggers


@pytest.mark.requirement("R1")
def test_episode_goes_with_a_source_that_it_rests_on() -> None:
    """It begins again on what the others say, so that the tutor's case does not lack what still may be told."""
    made = partition()
    made.consent(record(consent(STUDENT, sources=["vle", "attendance"])))
    made.enrolments(record(enrolled(STUDENT)))
    made.apply([tick(1), active(1.1), *(tick(day) for day in range(2, 20))])
    made.consent(record(consent(STUDENT, version=2, sources=["attendance"])))
    assert not made.changes().triggers
    made.apply([tick(20)])
    (again,) = [t for t in made.changes().triggers if t.rule == "days-since-last-activity"]
    assert (again.state, again.sources, again.episode_day) == ("opened", ("attendance",), "2026-01-12")


def test_consent_that_came_while_nobody_worked_is_published_at_the_start() -> None:
    """Nobody waits for the next day to see figures under a consent that a restart has read."""
    before = partition(OTHER)
    before.apply([tick(1)])
    states = {s.encode(): v for s, v in before.changes().states.items() if v}
    after = Alone(REGISTER, SETTINGS, before.position(0))
    after.restore(states)
    for student in (STUDENT, OTHER):
        after.consent(record(consent(student, version=2)))
        after.enrolments(record(enrolled(student)))
    after.reconcile()
    changes = after.changes()
    assert [published(changes, student).consent_version for student in (STUDENT, OTHER)] == [2, 2]


@pytest.mark.requirement("R1")
def test_an_episode_of_the_release_before_goes_with_the_tutors_grant() -> None:
    """Though that release did not write down on which it rests."""
    day = day_number(START_DAY)
    modules = {MODULE: ({"vle": (day + 2, {day + 2: 3})}, {"days-since-last-activity": ("an id", day + 2)})}
    old = msgspec.msgpack.encode(({"vle": START_MS - 14 * DAY_MS}, modules, {}, day + 18, True))
    made = Alone(REGISTER, SETTINGS, structs.replace(partition().position(0), clock_ms=START_MS + 20 * DAY_MS))
    made.restore({STUDENT.encode(): old})
    own = consent(STUDENT, purposes=[INDIVIDUAL_INDICATORS]).grants
    anew = consent(STUDENT, purposes=["tutor-notify"], from_ms=START_MS + 19 * DAY_MS).grants
    made.consent(record(structs.replace(consent(STUDENT), grants=own + anew)))
    made.enrolments(record(enrolled(STUDENT)))
    made.reconcile()
    made.apply([active(20.6), tick(20.7)])
    assert made.changes().triggers == []
