"""Real students, where they are at hand: what is computed of them is what a slow reading of the files comes to.

Both ways are judged: the columns that an evaluation takes from the files, and the records that a partition publishes
when the same clicks and hand-ins come as events.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest

from deploy.demo.oulad import ACTIVITIES
from deploy.demo.oulad_files import read
from deploy.demo.outcomes.activity import read_activity, read_work
from deploy.demo.outcomes.places import PlacesByDay
from deploy.demo.outcomes.students import read_students
from services.indicators.domain.formulas import COMPARED, FORMULAS, weekly_active_days
from services.kernel.clock import DAY_MS, HOUR_MS, MINUTE_MS
from services.kernel.events import ActivityRecorded, ClockTicked, Due, Enrolment
from tests.support import reference
from tests.support.lives import START, Life, moment
from tests.support.partitions import REGISTER, SETTINGS, Alone, published, record
from tests.support.reference import DAY
from tests.support.students import MODULE, START_MS, activity, student_of

DATA = os.environ.get("SIGNPOST_TEST_DATA", "")
pytestmark = pytest.mark.skipif(not DATA, reason="SIGNPOST_TEST_DATA names no folder with real data sets")

KEY = ("AAA", "2013J")
STUDENTS = 120
DAYS = (20, 41, 90, 150, 229)
BEFORE = 30  # days before the start from which on everybody permits it, and some are active
NOON_MS, DUE_MS, TICK_MS = 12 * HOUR_MS, 22 * HOUR_MS, 22 * HOUR_MS + 30 * MINUTE_MS  # one date, summer and winter
QUALIFYING = {entry.name for entry in REGISTER.activities if entry.qualifying}
OF_SESSIONS = ("sessions-7", "session-minutes-7")  # the files have dates and no times

Lives = Mapping[int, Life]


def rows(table: str, *numbers: str, texts: tuple[str, ...] = (), whole: bool = False) -> Iterator[tuple[Any, ...]]:
    """Rows of the presentation, or of all: the texts, then the numbers."""
    return read(Path(DATA) / "oulad", table, texts=texts, numbers=numbers, only=None if whole else KEY)


@pytest.fixture(scope="module")
def lives() -> Lives:
    """Some students of the presentation, by their ids in the files."""
    ((length,),) = rows("courses", "module_presentation_length")
    students = sorted(rows("studentRegistration", "id_student", "date_registration", "date_unregistration"), key=str)
    clicks, handed_in, asked = _clicks(), _handed_in(), _asked()
    found = {}
    for student, registered, left in Random(1).sample(students, STUDENTS):
        own = {name: (due, *handed_in.get((name, student), (None, 0))) for name, due in asked.items()}
        place = Enrolment(
            module=MODULE,
            start_day=(START + max(registered or 0, 0) * DAY).isoformat(),
            end_day=(START + length * DAY).isoformat(),
            left_day=None if left is None else (START + left * DAY).isoformat(),
            due=tuple(
                Due(assessment=f"a{name}", due_ms=START_MS + due * DAY_MS + DUE_MS)
                for name, (due, _, banked) in own.items()
                if not banked
            ),
        )
        who = student_of(str(student))
        events = [*_clicked(who, clicks[student]), *_submitted(who, own)]
        granted_ms = dict.fromkeys(("vle", "assessment"), START_MS - BEFORE * DAY_MS)
        arrived = sorted(((event.occurred_ms, event) for event in events), key=lambda a: (a[0], a[1].id))
        found[student] = Life(who, place, granted_ms, arrived, ())
    return found


def _clicks() -> dict[int, list[tuple[int, str, int]]]:
    kinds = {site: ACTIVITIES.get(kind, kind) for kind, site in rows("vle", "id_site", texts=("activity_type",))}
    found: dict[int, list[tuple[int, str, int]]] = defaultdict(list)
    for student, site, day, weight in rows("studentVle", "id_student", "id_site", "date", "sum_click"):
        found[student].append((day, kinds[site], weight))
    return found


def _handed_in() -> dict[tuple[int, int], tuple[int, int]]:
    columns = ("id_assessment", "id_student", "date_submitted", "is_banked")
    return {
        (name, student): (day, banked) for name, student, day, banked in rows("studentAssessment", *columns, whole=True)
    }


def _asked() -> dict[int, int]:
    assessments = rows("assessments", "id_assessment", "date", texts=("assessment_type",))
    return {name: day for kind, name, day in assessments if kind != "Exam" and day is not None}


def _clicked(who: str, clicks: list[tuple[int, str, int]]) -> Iterator[ActivityRecorded]:
    for serial, (day, kind, weight) in enumerate(clicks):
        at_ms = START_MS + day * DAY_MS + NOON_MS
        yield activity(who, at_ms, serial, activity=kind, qualifying=kind in QUALIFYING, weight=weight)


def _submitted(who: str, own: Mapping[int, tuple[int, int | None, int]]) -> Iterator[ActivityRecorded]:
    """Hand-ins, not counted as activity, since the columns of an evaluation hold clicks only."""
    for name, (_, day, _) in own.items():
        if day is not None:
            at_ms = START_MS + day * DAY_MS + NOON_MS
            said = {"source": "assessment", "activity": "assignment", "assessment": f"a{name}", "qualifying": False}
            yield activity(who, at_ms, 100_000 + name, **said)


def at(day: int) -> int:
    """The moment at the end of a day of the presentation."""
    return START_MS + day * DAY_MS + TICK_MS


def figures(life: Life, day: int, *, but: tuple[str, ...] = ()) -> dict[str, Any]:
    """What the reference says, but for some figures."""
    told = reference.figures(life.history(at(day)), moment(at(day)))
    return {
        n: v if isinstance(v, str) else pytest.approx(v, rel=1e-9, abs=1e-9) for n, v in told.items() if n not in but
    }


def test_the_columns_of_an_evaluation_give_what_the_files_say(lives: Lives) -> None:
    folder, register = Path(DATA) / "oulad", REGISTER
    students = read_students(folder, ["/".join(KEY)])
    activity_, work = read_activity(folder, students, register, lambda _: None), read_work(folder, students)
    row, found = students.find(np.zeros(len(lives), np.int64), np.array(list(lives), np.float64))
    assert found.all()
    by_day = PlacesByDay(students, activity_, work)
    for day in DAYS:
        places = by_day.at(day)
        made = {name: formula(places) for name, formula in FORMULAS.items() if name not in OF_SESSIONS}
        weeks = weekly_active_days(places)
        for place, life in zip(row.tolist(), lives.values(), strict=True):
            told = {n: float(f.values[place]) if f.said[place] else f.reason(place) for n, f in made.items()}
            assert told == figures(life, day, but=(*OF_SESSIONS, "attendance")) | {"attendance": "no-marks"}
            history = life.history(at(day))
            assert tuple(weeks[place]) == reference.weekly_active_days(history, moment(at(day)))
            assert places.arrears[place] == reference.arrears(history, moment(at(day)))


def test_a_partition_publishes_what_the_files_say(lives: Lives) -> None:
    made = Alone(REGISTER, SETTINGS)
    for life in lives.values():
        made.consent(record(life.consent))
        made.enrolments(record(life.enrolments))
    made.reconcile()
    log: list[tuple[int, Any]] = [(at_ms, event) for life in lives.values() for at_ms, event in life.arrived]
    log += [(at(day), ClockTicked(at_ms=at(day))) for day in range(-BEFORE, DAYS[-1] + 1)]
    log.sort(key=lambda entry: entry[0])
    told, done = 0, 0
    for day in DAYS:
        until = sum(at_ms <= at(day) for at_ms, _ in log)
        records = [record(event) for _, event in log[done:until]]
        assert made.apply(records, consent_is_complete=True) == len(records)
        changes, done = made.changes(), until
        for life in lives.values():
            if changes.indicators.get(life.student) is not None:
                (module,) = published(changes, life.student).modules
                said = {i.name: i.value for i in module.indicators} | module.unsaid
                assert {n: v for n, v in said.items() if n not in COMPARED} == _permitted(figures(life, day))
                told += 1
        made.flushed()
    assert told > 3 * STUDENTS
    assert not {"late", "ahead", "no-grant", "unreadable"} & {n for n, number in made.outcomes.items() if number}


def _permitted(said: dict[str, Any]) -> dict[str, Any]:
    """Attendance is of a system that nobody here permits."""
    return said | {"attendance": "no-source"}
