"""Weeks of several partitions that count, wait for each other and compare: whatever the order, the same comes out."""

from __future__ import annotations

import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.indicators.domain.cohort import monday
from services.indicators.handlers import Partition
from services.kernel.clock import DAY_MS, day_number, iso_day
from services.kernel.consents import COHORT_IMPROVEMENT, INDIVIDUAL_INDICATORS, TUTOR_NOTIFY
from services.kernel.events import (
    ClockTicked,
    CohortClosed,
    CohortCounted,
    IndicatorsComputed,
    Leave,
    ModuleIndicators,
    SupportTriggered,
)
from tests.support.cohorts import EVERYTHING, Exchange, consenting, students, weeks
from tests.support.partitions import REGISTER, SETTINGS, record
from tests.support.students import MODULE, START_DAY, START_MS, consent, enrolled

STUDENTS = students(24)
PARTITIONS = 3
START = day_number(START_DAY)


def exchange(number: int = 7) -> Exchange:
    return Exchange(consenting(STUDENTS), weeks(STUDENTS, number), PARTITIONS)


@pytest.fixture(scope="module")
def undisturbed() -> Exchange:
    """Seven weeks, partition after partition."""
    made = exchange()
    made.to_end()
    return made


def said(made: Exchange, student: str) -> ModuleIndicators:
    """What is published of the student's module."""
    (raw,) = (one.indicators[student] for one in made.running if student in one.indicators)
    (module,) = msgspec.json.decode(raw, type=IndicatorsComputed).modules
    return module


def value(made: Exchange, student: str, name: str) -> float:
    return next(i.value for i in said(made, student).indicators if i.name == name)


def counts(made: Exchange, week: int) -> list[CohortCounted]:
    """What the partitions counted in a week."""
    day = iso_day(monday(START) + 7 * week)
    return [r for one in made.running for r in one.counted if isinstance(r, CohortCounted) and r.day == day]


def opened(made: Exchange, rule: str) -> list[SupportTriggered]:
    return [t for one in made.running for t in one.triggers if (t.rule, t.state) == (rule, "opened")]


@settings(max_examples=4, deadline=None)
@given(st.integers(0, 2**32))
def test_any_interleaving_batch_and_crash_leaves_the_same_behind(undisturbed: Exchange, seed: int) -> None:
    """States, norms, published figures, triggers and counts, byte for byte."""
    made = exchange()
    made.to_end(random.Random(seed))
    assert made.outcome == undisturbed.outcome


def test_students_are_compared_with_the_module(undisturbed: Exchange) -> None:
    """Whoever does most stands highest, with how many are counted, and as of the last Monday."""
    centiles = [value(undisturbed, student, "volume-28-centile") for student in STUDENTS]
    assert centiles[:3] == sorted(centiles)[:3]
    assert sum(centiles) / len(centiles) == pytest.approx(50)
    best = said(undisturbed, STUDENTS[-1])
    assert best.cohort_day == iso_day(monday(START) + 49)
    (index,) = (i for i in best.indicators if i.name == "engagement-index")
    assert (index.inputs["students"], index.inputs["places"], index.inputs["coverage"]) == (24, 24, 100)
    assert 0 < index.value <= 5
    assert index.inputs["parts"] == 3  # nobody here lets hand-ins be seen
    assert "share-arrears" not in index.inputs


def test_low_volume_two_weeks_running_opens_one_episode(undisturbed: Exchange) -> None:
    """Not the first time that it is low, and not before the window could be seen."""
    low = opened(undisturbed, "low-volume")
    assert {t.student for t in low} == set(STUDENTS[:3])
    assert len(low) == 3
    assert all(t.value <= -1.5 and t.inputs["students"] == 24 for t in low)
    assert {t.day for t in low} == {iso_day(START + 35)}  # the windows are whole at the fourth Monday


def test_every_partition_counts_each_week_once(undisturbed: Exchange) -> None:
    for week in range(8):
        found = counts(undisturbed, week)
        assert sorted(record.partition for record in found) == list(range(PARTITIONS))
        assert sum(record.students for record in found) == sum(record.places for record in found) == 24


@pytest.mark.requirement("R1")
def test_a_withdrawal_takes_effect_with_the_next_counts() -> None:
    """Of `cohort-improvement` alone: nobody's figures go, and the student's own place is still told."""
    made = exchange(3)
    made.until(START_MS + 10 * DAY_MS)
    left = consent(STUDENTS[5], 2, purposes=(INDIVIDUAL_INDICATORS, TUTOR_NOTIFY))
    made.consent(left)
    made.to_end()
    assert sum(record.students for record in counts(made, 1)) == 24
    assert sum(record.students for record in counts(made, 2)) == 23
    assert sum(record.places for record in counts(made, 2)) == 24
    centile = next(i for i in said(made, STUDENTS[5]).indicators if i.name == "volume-28-centile")
    assert (centile.inputs["students"], centile.inputs["places"]) == (23, 24)


@pytest.mark.requirement("R13")
def test_nobody_is_counted_without_the_purpose() -> None:
    """And so nothing is said of anybody's place."""
    consents = [consent(student, purposes=(INDIVIDUAL_INDICATORS, TUTOR_NOTIFY)) for student in STUDENTS]
    made = Exchange(consents, weeks(STUDENTS, 2), PARTITIONS)
    made.to_end()
    assert sum(record.students for record in counts(made, 1)) == 0
    assert not any(record.counts for record in counts(made, 1))
    assert said(made, STUDENTS[0]).unsaid["engagement-index"] == "cohort-too-small"


@pytest.mark.requirement("R1")
def test_a_withdrawal_while_waiting_is_obeyed_at_once() -> None:
    """The partition that has counted waits for the others; the student's state goes all the same."""
    made = exchange(2)
    first = made.running[0]
    while first.partition.waiting is None:
        made.step(0, 1)
    student = next(s for s in STUDENTS if s in first.states or made.place_of(s) == 0)
    made.consent(consent(student, 2, purposes=()))
    made.flush(0)
    assert student not in first.states
    assert not made.step(0, 100), "nothing else is applied"
    made.to_end()
    assert not any(student in one.indicators for one in made.running)
    assert not [t for one in made.running for t in one.triggers if t.student == student]


def test_a_lost_week_says_nothing_and_holds_nobody_up() -> None:
    """Partition 1's counts of the second week are gone from the topic when partition 0 is built anew."""
    made = exchange(3)
    made.to_end()
    anew = exchange(3)
    for one in made.running[1:]:
        for said_ in one.counted:
            if (one.number, said_.day) != (1, iso_day(monday(START) + 7)):
                anew.told(one.number, said_)
    anew.alone_to_end(0)
    assert anew.norms.lost == {monday(START) + 7}
    assert made.running[0].indicators == anew.running[0].indicators


def test_whoever_permits_only_a_part_is_not_counted() -> None:
    """Figures from two systems, one of which may not be counted: that would be another figure than the one shown."""
    half = STUDENTS[4]
    both = consent(half, purposes=EVERYTHING, sources=("vle", "library"))
    grants = tuple(g for g in both.grants if (g.purpose, g.source) != (COHORT_IMPROVEMENT, "library"))
    consents = [*consenting([s for s in STUDENTS if s != half]), msgspec.structs.replace(both, grants=grants)]
    made = Exchange(consents, weeks(STUDENTS, 2), PARTITIONS)
    made.to_end()
    assert sum(record.students for record in counts(made, 1)) == 23
    assert counts(made, 1)[0].module == MODULE


# Which places are counted.


def counted_of(*, day: int = 0, purposes: tuple[str, ...] = EVERYTHING, **place: object) -> CohortCounted | None:
    """What a partition with one student counts in the week of that day; None where it says nothing of the module."""
    made = Partition(REGISTER, SETTINGS, number=2)
    made.consent(record(consent(STUDENTS[0], purposes=purposes)))
    made.enrolments(record(enrolled(STUDENTS[0], 1, MODULE, **place)))
    made.reconcile()
    made.apply([record(ClockTicked(at_ms=START_MS + day * DAY_MS + 1))])
    *counted, closed = made.changes().norms
    assert closed == CohortClosed(partition=2, day=iso_day(monday(START + day)), modules=len(counted))
    return counted[0] if counted else None  # type: ignore[return-value]  # all but the last are counts


def test_every_running_place_is_in_the_coverage_and_who_permits_it_in_the_counts() -> None:
    mine = counted_of()
    assert mine is not None
    assert (mine.places, mine.students, mine.partition) == (1, 1, 2)
    other = counted_of(purposes=())
    assert other is not None
    assert (other.places, other.students, other.counts) == (1, 0, {})


def test_being_counted_needs_what_is_counted() -> None:
    """`cohort-improvement` alone lets nothing be computed, so there is nothing to count."""
    only = counted_of(purposes=(COHORT_IMPROVEMENT,))
    assert only is not None
    assert (only.places, only.students) == (1, 0)


@pytest.mark.parametrize(
    "place",
    [
        {"start_day": "2026-02-01"},
        {"start_day": "2025-10-01", "end_day": "2026-01-11"},
        {"left_day": "2026-01-12"},
        {"leave": (Leave(first_day="2026-01-01", last_day="2026-01-12"),)},
    ],
    ids=["not begun", "over", "left", "on leave"],
)
def test_a_place_that_does_not_run_is_in_neither(place: dict[str, object]) -> None:
    assert counted_of(**place) is None  # type: ignore[arg-type]  # the place's own fields


def test_a_week_is_counted_at_its_first_tick_whichever_day_that_is() -> None:
    """A partition that missed Monday's tick agrees with the others on the week."""
    late = counted_of(day=3)
    assert late is not None
    assert late.day == iso_day(monday(START))


def test_norms_are_remembered_by_module_and_forgotten_with_it() -> None:
    made = exchange(2)
    made.to_end()
    (key,) = made.running[0].kept
    assert key.endswith(MODULE.encode())
    over = Exchange(consenting(STUDENTS), [*weeks(STUDENTS, 2), ClockTicked(at_ms=START_MS + 80 * DAY_MS)], PARTITIONS)
    over.to_end()
    assert [one.kept for one in over.running] == [{}] * PARTITIONS
