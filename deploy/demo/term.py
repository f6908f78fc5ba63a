"""A simulated term: who does what, when, on which module, as a learning environment would report it.

The same university, seed and first day give the same events, byte for byte.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence

from deploy.demo.events import Day, Event, Span, Term
from deploy.demo.habits import Student, students_of
from deploy.demo.university import Demo, Enrolment, University, chance
from services.kernel.ids import deterministic_id

_WEEKDAY = (1.0, 1.17, 1.15, 1.15, 1.0, 0.73, 0.78)  # Monday first
_TREND = (1.22, 0.85)  # at the start and at the end of the term
_VACATION = 0.3
_WEEKS_FOR_VACATION = 4
_DEADLINE_WEEKS = 3  # between two deadlines of a module
_RUSH, _RUSH_DAYS, _LULL, _LULL_DAYS = 0.9, 2.5, 0.75, 2
_ROWS_MEDIAN, _ROWS_SPREAD, _ROWS_MOST = 4.4, 0.7, 60
_WEIGHT_LOG, _WEIGHT_SPREAD, _WEIGHT_MOST = 0.55, 1.1, 250  # how often one item is used within a day
_LOGIN = 0.6  # of the sessions begin with one that the system reports
_ACTIVITIES = {
    "page": 36,
    "resource": 20,
    "forum": 17,
    "quiz": 11,
    "recording": 8,
    "assignment": 3,
    "collaboration": 2,
    "external": 2,
    "glossary": 1,
}
_PART_TIME = 0.6  # of a full-time student's pace
_MOST_LIKELY = 0.97
_ROWS_A_SITTING = 8
_PAUSE_S = 200
_MIX, _SHARES = tuple(_ACTIVITIES), tuple(_ACTIVITIES.values())
_BY_DAY = (1, 0, 0, 0, 0, 0, 1, 3, 8, 14, 15, 13, 10, 13, 15, 13, 10, 6, 4, 4, 4, 3, 2, 1)  # by hour
_BY_EVENING = (3, 1, 0, 0, 0, 0, 0, 1, 2, 4, 5, 5, 5, 5, 5, 5, 6, 7, 9, 14, 16, 14, 10, 6)
_HOURS = range(24)
_LAST_SECOND = 86_399

Deed = tuple[int, str, int]  # the second of the day, the activity, its weight


def vacation(span: Span) -> range:
    """The days of a week off in the middle; none in a short term."""
    middle = span.days // 14 * 7
    return range(middle, middle + 7) if span.days >= _WEEKS_FOR_VACATION * 7 else range(0)


def deadlines(span: Span, module: int) -> tuple[int, ...]:
    """The days on which work for the module with this number is due: a Tuesday, Wednesday or Thursday."""
    first_tuesday = (1 - span.first_day.weekday()) % 7
    due = range(first_tuesday + 7 + module % 3, span.days, _DEADLINE_WEEKS * 7)
    return tuple(day for day in due if day not in vacation(span))


def simulate(university: University, demo: Demo, span: Span) -> Term:
    """Everybody's term, day by day."""
    students = students_of([person.id for person in university.students], demo.seed, span.days)
    business = {module.code: _business(span, n) for n, module in enumerate(university.modules)}
    due = {module.code: frozenset(deadlines(span, n)) for n, module in enumerate(university.modules)}
    by_day: list[list[Event]] = [[] for _ in range(span.days)]
    for place in university.enrolments:
        draw = chance("place", demo.seed, place.person, place.module)
        for day in _active_days(place, students[place.person], business[place.module], span, draw):
            deeds = _deeds(students[place.person], draw, due=day in due[place.module])
            by_day[day] += [_event(demo, place, span, (day, n), deed) for n, deed in enumerate(deeds)]
    for events in by_day:
        events.sort(key=lambda event: (event.at, event.id))
    return Term(demo.term, span, [Day(span.date(n), events) for n, events in enumerate(by_day)])


def _business(span: Span, module: int) -> tuple[float, ...]:
    """A factor to everybody's activity on each day: the weekday, the vacation, the term's course, a deadline ahead."""
    due, off = deadlines(span, module), vacation(span)
    return tuple(
        _WEEKDAY[span.date(day).weekday()]
        * (_TREND[0] + (_TREND[1] - _TREND[0]) * day / max(1, span.days - 1))
        * (_VACATION if day in off else 1)
        * _deadline_factor(day, due)
        for day in range(span.days)
    )


def _deadline_factor(day: int, due: Sequence[int]) -> float:
    ahead = min((deadline - day for deadline in due if deadline >= day), default=None)
    lull = _LULL if any(0 < day - deadline <= _LULL_DAYS for deadline in due) else 1
    return lull * (1 if ahead is None else 1 + _RUSH * math.exp(-ahead / _RUSH_DAYS))


def _active_days(
    place: Enrolment, student: Student, business: Sequence[float], span: Span, draw: random.Random
) -> Iterator[int]:
    """The days on which one student comes to one module."""
    until = (place.left_day - span.first_day).days if place.left_day else span.days
    pace = _PART_TIME if place.part_time else 1
    for day in range(until):
        likely = student.propensity * pace * business[day] * student.mood[day]
        if draw.random() < min(_MOST_LIKELY, likely):
            yield day


def _event(demo: Demo, place: Enrolment, span: Span, key: tuple[int, int], deed: Deed) -> Event:
    day, ordinal = key
    second, activity, weight = deed
    date = span.date(day).isoformat()
    return Event(
        id=deterministic_id("simulated", demo.seed, place.person, place.module, date, ordinal),
        student=place.person,
        module=place.module,
        activity=activity,
        at=span.moment(day, second).isoformat(),
        weight=weight,
    )


def _deeds(student: Student, draw: random.Random, *, due: bool) -> list[Deed]:
    """All that a student does on a module on a day of coming; whoever is silent logs in and goes no further."""
    if student.habit == "silent":
        return [(_moment(student, draw), "login", 1)]
    rows = round(_ROWS_MEDIAN * student.intensity * draw.lognormvariate(0, _ROWS_SPREAD))
    rows = min(max(rows, 1), _ROWS_MOST)
    sittings = 1 + rows // _ROWS_A_SITTING
    deeds: list[Deed] = []
    for n in range(sittings):
        count = rows * (n + 1) // sittings - rows * n // sittings
        deeds += _sitting(_moment(student, draw), count, draw)
    return [*deeds, (_moment(student, draw), "assignment", 1)] if due else deeds


def _sitting(second: int, rows: int, draw: random.Random) -> Iterator[Deed]:
    """Some minutes of work from a moment on, within the day."""
    if draw.random() < _LOGIN:
        yield second, "login", 1
    for activity in draw.choices(_MIX, _SHARES, k=rows):
        second = min(second + round(draw.expovariate(1 / _PAUSE_S)), _LAST_SECOND)
        weight = round(math.exp(draw.gauss(_WEIGHT_LOG, _WEIGHT_SPREAD)))
        yield second, activity, min(max(weight, 1), _WEIGHT_MOST)


def _moment(student: Student, draw: random.Random) -> int:
    """A second of the day at which the student may sit down to work."""
    hour = draw.choices(_HOURS, _BY_EVENING if student.evening else _BY_DAY)[0]
    return hour * 3600 + draw.randrange(3600)
