"""Work that students hand in, late or not at all, and timetabled events to which they come or do not."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from math import sqrt

from deploy.demo.chance import chance
from deploy.demo.events import Span
from deploy.demo.habits import Student
from deploy.demo.places import Enrolment

_WEEK = 7
_IN_TIME = {"steady": 0.94, "fading": 0.92, "bursty": 0.84, "returning": 0.9, "silent": 0.0}
_LATE = 0.5  # of those who are not in time, where they are about at all
_LATEST_DAYS = 5
_LAST_MINUTES_S = 5 * 3600
_COMES = (0.85, 0.99)  # to a timetabled event, in a usual week
_FROM_AFAR = 0.2  # of that, for who need not come


def hand_ins(place: Enrolment, student: Student, seed: int, span: Span) -> Iterator[tuple[str, dt.datetime]]:
    """The pieces of work that a student hands in, and when."""
    draw = chance("hand-ins", seed, place.person, place.module)
    for due in place.due:
        deadline = due.extended or due.due
        spirit = _spirit(student, (deadline.date() - span.first_day).days)
        luck, in_time = draw.random(), _IN_TIME[student.habit] * spirit
        early = dt.timedelta(days=draw.choice((0, 0, 0, 1, 1, 2)), seconds=draw.randrange(_LAST_MINUTES_S))
        late = dt.timedelta(days=draw.randint(1, _LATEST_DAYS), seconds=-draw.randrange(_LAST_MINUTES_S))
        at = deadline - early if luck < in_time else deadline + late
        if luck < in_time + _LATE * (spirit - in_time) and _is_about(place, student, span, at.date()):
            yield due.assessment, at


def marks(
    place: Enrolment, student: Student, seed: int, span: Span, expected: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int, bool]]:
    """Day and second of each timetabled event at which a student is expected, and whether they came."""
    draw = chance("attendance", seed, place.person, place.module)
    usually = draw.uniform(*_COMES) * (_FROM_AFAR if place.exempt else 1)
    for day, second in expected:
        luck, date = draw.random(), span.date(day)
        if date < _until(place, span) and not place.is_away(date):
            yield day, second, luck < usually * sqrt(_spirit(student, day))


def _spirit(student: Student, day: int) -> float:
    """How much of themselves a student has been in the week up to a day: from 0 to 1."""
    last = min(day, len(student.mood) - 1)
    week = student.mood[max(0, last - _WEEK + 1) : last + 1]
    return min(1.0, sum(week) / len(week)) if student.mood[last] and student.habit != "silent" else 0.0


def _is_about(place: Enrolment, student: Student, span: Span, date: dt.date) -> bool:
    """Whether a student does anything on a day."""
    within = span.first_day <= date < _until(place, span) and not place.is_away(date)
    return within and student.mood[(date - span.first_day).days] > 0


def _until(place: Enrolment, span: Span) -> dt.date:
    """The first day on which nothing is done any more."""
    return min(place.left_day or dt.date.max, span.date(span.days))
